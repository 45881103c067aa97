-- Tells every Bedplate process that the schema changed (channel bedplate, payload reload). Event triggers need a
-- superuser, or a role that the cloud provider allows to make them; without them the servers poll.
create or replace function bedplate.notify_ddl() returns event_trigger
language plpgsql
set search_path = ''
as $$
begin
    -- Temporary objects, and what Bedplate keeps for itself, concern no API.
    if exists (
        select
        from pg_catalog.pg_event_trigger_ddl_commands() c
        where c.schema_name is distinct from 'pg_temp'
            and coalesce(c.schema_name, '') not in ('realtime', 'bedplate', 'supabase_migrations', 'cron', 'net')
            and c.command_tag not in ('CREATE STATISTICS', 'ALTER STATISTICS', 'REFRESH MATERIALIZED VIEW')
    ) then
        perform pg_catalog.pg_notify('bedplate', 'reload');
    end if;
end
$$;

create or replace function bedplate.notify_drop() returns event_trigger
language plpgsql
set search_path = ''
as $$
begin
    if exists (
        select
        from pg_catalog.pg_event_trigger_dropped_objects() o
        where not o.is_temporary
            and coalesce(o.schema_name, '') not in ('realtime', 'bedplate', 'supabase_migrations', 'cron', 'net')
    ) then
        perform pg_catalog.pg_notify('bedplate', 'reload');
    end if;
end
$$;

comment on function bedplate.notify_ddl() is 'Bedplate: asks the servers to read the catalog again';
comment on function bedplate.notify_drop() is 'Bedplate: asks the servers to read the catalog again';

drop event trigger if exists bedplate_ddl;
create event trigger bedplate_ddl on ddl_command_end execute function bedplate.notify_ddl();
drop event trigger if exists bedplate_drop;
create event trigger bedplate_drop on sql_drop execute function bedplate.notify_drop();
