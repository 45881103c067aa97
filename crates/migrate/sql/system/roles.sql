-- The roles that apps name. They belong to the whole cluster, so several databases may be set up at the same time:
-- everything here looks first and writes only what is missing, and the caller repeats the block when another
-- database won a race. What this role may not do is left out; `limitations.sql` reports it from the result.
do $roles$
declare
    me constant name := current_user;
    i_am_super constant boolean := (select rolsuper from pg_catalog.pg_roles where rolname = me);
    wanted record;
begin
    for wanted in
        select v.role, v.attributes
        from (values
            ('anon', 'nologin inherit'),
            ('authenticated', 'nologin inherit'),
            ('service_role', 'nologin inherit'),
            ('authenticator', 'login noinherit'),
            ('supabase_auth_admin', 'nologin noinherit'),
            ('supabase_storage_admin', 'nologin noinherit'),
            ('supabase_realtime_admin', 'nologin noinherit'),
            ('supabase_functions_admin', 'nologin noinherit'),
            ('supabase_replication_admin', 'nologin'),
            ('supabase_read_only_user', 'nologin'),
            ('supabase_admin', 'nologin'),
            ('dashboard_user', 'nologin'),
            ('postgres', 'nologin')
        ) as v (role, attributes)
        where not exists (select from pg_catalog.pg_roles r where r.rolname = v.role)
    loop
        begin
            execute format('create role %I %s', wanted.role, wanted.attributes);
        exception
            when duplicate_object or unique_violation then null;
        end;
    end loop;

    -- Only a superuser (from 16 on: a role that has it) may hand out BYPASSRLS.
    if not (select rolbypassrls from pg_catalog.pg_roles where rolname = 'service_role') then
        begin
            alter role service_role bypassrls;
        exception
            when insufficient_privilege then null;
        end;
    end if;

    for wanted in
        select v.role, v.member
        from (
            select r.role, m.member
            from unnest(array['anon', 'authenticated', 'service_role']) as r (role),
                unnest(array['authenticator', 'supabase_storage_admin']) as m (member)
            union all
            -- The owner acts for all of them: policies on storage.objects, triggers on auth.users, SET ROLE in tests.
            select r.role, me::text
            from unnest(array[
                'anon', 'authenticated', 'service_role', 'authenticator', 'supabase_auth_admin',
                'supabase_storage_admin', 'supabase_realtime_admin', 'supabase_functions_admin', 'dashboard_user',
                'supabase_read_only_user', 'supabase_replication_admin', 'supabase_admin', 'postgres'
            ]) as r (role)
            where not i_am_super and r.role <> me
        ) as v
        where not exists (
            select
            from pg_catalog.pg_auth_members a
            join pg_catalog.pg_roles parent on parent.oid = a.roleid
            join pg_catalog.pg_roles child on child.oid = a.member
            where parent.rolname = v.role and child.rolname = v.member
                -- From 16 on the creator of a role holds ADMIN on it without being able to act as it.
                and coalesce((to_jsonb(a) ->> 'set_option')::boolean, true)
        )
        -- Nobody becomes a member of a superuser through us.
        and not exists (select from pg_catalog.pg_roles r where r.rolname = v.role and r.rolsuper)
    loop
        begin
            execute format('grant %I to %I', wanted.role, wanted.member);
        exception
            when unique_violation or insufficient_privilege or invalid_grant_operation then null;
        end;
    end loop;

    -- Limits of the API roles (docs: limits). A value that somebody set stays.
    for wanted in
        select v.role, v.setting, v.value
        from (values
            ('anon', 'statement_timeout', '3s'),
            ('authenticated', 'statement_timeout', '8s')
        ) as v (role, setting, value)
        where not exists (
            select
            from pg_catalog.pg_db_role_setting s
            join pg_catalog.pg_roles r on r.oid = s.setrole
            where r.rolname = v.role and s.setdatabase = 0
                and exists (select from unnest(s.setconfig) c where c like v.setting || '=%')
        )
    loop
        begin
            execute format('alter role %I set %I = %L', wanted.role, wanted.setting, wanted.value);
        exception
            when insufficient_privilege then null;
        end;
    end loop;
end
$roles$;
