-- What is missing from the contract, read from the database itself: a short code per gap. The texts are in Rust.
select code, detail from (
    select 1 as position, 'service_role_bypassrls' as code, '' as detail
    where not (select rolbypassrls or rolsuper from pg_catalog.pg_roles where rolname = 'service_role')
    union all
    select 2, 'reload_events', ''
    where (select count(*) from pg_catalog.pg_event_trigger where evtname in ('bedplate_ddl', 'bedplate_drop')) < 2
    union all
    select 3, 'extension', wanted.name
    from unnest(array['pgcrypto', 'uuid-ossp']) as wanted (name)
    where not exists (select from pg_catalog.pg_extension where extname = wanted.name)
    union all
    select 4, 'role_postgres', ''
    where current_user <> 'postgres' and not pg_has_role(current_user, 'postgres', 'member')
    union all
    select 5, 'parameters', ''
    where not has_parameter_privilege('session_replication_role', 'set')
    union all
    select 6, 'foreign_schema', s.name
    from bedplate.system_migrations s where not s.ours
    union all
    select 7, 'act_as', r.rolname
    from pg_catalog.pg_roles r
    where r.rolname in ('anon', 'authenticated', 'service_role') and not pg_has_role(current_user, r.oid, 'member')
) gaps
order by position, detail
