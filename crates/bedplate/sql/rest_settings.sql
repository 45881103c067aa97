-- What `alter role … set pgrst.…` says for these logins. The last one wins: by their order, and settings for this database
-- over those for all.
select substr(s.setting, 1, strpos(s.setting, '=') - 1), substr(s.setting, strpos(s.setting, '=') + 1)
from (
    select array_position($1::text[], a.rolname::text) as place, r.setdatabase, unnest(r.setconfig) as setting
    from pg_catalog.pg_db_role_setting r
    join pg_catalog.pg_roles a on a.oid = r.setrole
    where a.rolname = any ($1::text[])
      and r.setdatabase in (0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database()))
) s
where s.setting like 'pgrst.%'
order by s.place, s.setdatabase
