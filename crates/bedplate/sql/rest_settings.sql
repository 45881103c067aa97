-- What `alter role … set pgrst.…` says for a login: settings for this database come last and win.
select substr(s.setting, 1, strpos(s.setting, '=') - 1), substr(s.setting, strpos(s.setting, '=') + 1)
from (
    select r.setdatabase, unnest(r.setconfig) as setting
    from pg_catalog.pg_db_role_setting r
    where r.setrole = (select a.oid from pg_catalog.pg_roles a where a.rolname = $1)
      and r.setdatabase in (0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database()))
) s
where s.setting like 'pgrst.%'
order by s.setdatabase
