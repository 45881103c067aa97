-- Run by the superuser of a cluster of ours. Makes the role that owns the app's database: strong enough to do what
-- migrations do, and no superuser. The role's name arrives in the setting bedplate.owner.
do $owner$
declare
    owner constant name := current_setting('bedplate.owner');
    found record;
    found_superuser constant boolean := coalesce(
        (select rolsuper from pg_catalog.pg_roles where rolname = current_setting('bedplate.owner')), false
    );
    wanted text;
begin
    select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication, rolcanlogin into found
    from pg_catalog.pg_roles where rolname = owner;
    if found is null then
        begin
            execute format('create role %I login createrole createdb bypassrls replication', owner);
        exception
            when duplicate_object or unique_violation then null;
        end;
    elsif not found.rolsuper and not (
        found.rolcreaterole and found.rolcreatedb and found.rolbypassrls and found.rolreplication and found.rolcanlogin
    ) then
        execute format('alter role %I login createrole createdb bypassrls replication', owner);
    end if;

    foreach wanted in array array['pg_monitor', 'pg_signal_backend', 'pg_read_all_data'] loop
        if not exists (
            select from pg_catalog.pg_auth_members a
            join pg_catalog.pg_roles child on child.oid = a.member
            where a.roleid = wanted::regrole and child.rolname = owner
        ) then
            begin
                execute format('grant %I to %I', wanted, owner);
            exception
                when unique_violation then null;
            end;
        end if;
    end loop;

    -- Settings that only a superuser may touch, and that migrations and API settings of Supabase apps do touch.
    foreach wanted in array array[
        'session_replication_role', 'pgrst.db_schemas', 'pgrst.db_extra_search_path', 'pgrst.db_max_rows',
        'pgrst.db_pre_request', 'pgrst.db_aggregates_enabled', 'pgrst.db_plan_enabled', 'pgrst.db_tx_end',
        'pgrst.db_anon_role', 'pgrst.db_hoisted_tx_settings', 'pgrst.db_root_spec', 'pgrst.jwt_secret',
        'pgrst.jwt_aud', 'pgrst.jwt_role_claim_key', 'pgrst.openapi_mode', 'pgrst.server_timing_enabled',
        'app.settings.jwt_secret', 'app.settings.jwt_exp'
    ] loop
        if not has_parameter_privilege(owner, wanted, 'set') then
            execute format('grant set on parameter %s to %I', wanted, owner);
        end if;
    end loop;

    -- The owner acts for these roles, and sets their settings: from 16 on ALTER ROLE needs ADMIN on the role.
    foreach wanted in array array[
        'anon', 'authenticated', 'service_role', 'authenticator', 'supabase_auth_admin', 'supabase_storage_admin',
        'supabase_realtime_admin', 'supabase_functions_admin', 'supabase_replication_admin', 'supabase_read_only_user',
        'supabase_admin', 'dashboard_user', 'postgres'
    ] loop
        if wanted <> owner and not found_superuser
            and exists (select from pg_catalog.pg_roles where rolname = wanted and not rolsuper)
            and not exists (
                select from pg_catalog.pg_auth_members a
                join pg_catalog.pg_roles child on child.oid = a.member
                where a.roleid = wanted::regrole and child.rolname = owner and a.admin_option
            )
        then
            begin
                execute format('grant %I to %I with admin option', wanted, owner);
            exception
                when unique_violation then null;
            end;
        end if;
    end loop;
end
$owner$;
