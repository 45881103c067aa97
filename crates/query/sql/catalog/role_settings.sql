-- Settings for this database come after those for all, and win.
select s.setrole, s.setconfig
from pg_catalog.pg_db_role_setting s
where s.setrole <> 0
  and s.setdatabase in (0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database()))
order by s.setrole, s.setdatabase;
