-- Settings for this database come after those for all, and win. What the role itself may not set is left out: at a login
-- PostgreSQL applies it for the role, but within a session it would refuse it.
select s.setrole, array(
    select u.setting
    from unnest(s.setconfig) with ordinality u (setting, at)
    left join pg_catalog.pg_settings g on lower(g.name) = lower(split_part(u.setting, '=', 1))
    where g.name is null or g.context = 'user'
        or g.context = 'superuser' and has_parameter_privilege(s.setrole, g.name, 'set')
    order by u.at
)
from pg_catalog.pg_db_role_setting s
where s.setrole <> 0
  and s.setdatabase in (0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database()))
order by s.setrole, s.setdatabase;
