-- Schemas, ledgers, search_path and default privileges. Runs as the owner, in one transaction.
comment on schema bedplate is 'Bedplate: ledgers and state of the server. Not an API.';

create schema if not exists extensions;
create schema if not exists auth;
create schema if not exists storage;
create schema if not exists realtime;
create schema if not exists graphql;
create schema if not exists graphql_public;
create schema if not exists vault;
create schema if not exists supabase_migrations;

create table bedplate.migrations (
    version text primary key,
    name text not null,
    -- SHA-256 of the file, hex; line ends count as LF.
    checksum text not null,
    -- True: found in supabase_migrations when Bedplate first saw this database; not run by Bedplate.
    adopted boolean not null default false,
    statements integer not null,
    duration_ms bigint not null,
    bedplate_version text not null,
    applied_at timestamptz not null default clock_timestamp(),
    applied_by text not null default current_user
);
comment on table bedplate.migrations is 'Bedplate: the migrations that this database has';

create table bedplate.migration_progress (
    version text not null,
    direction text not null check (direction in ('up', 'down')),
    -- Statements that are certainly done, and SHA-256 of their text.
    done integer not null,
    done_checksum text not null,
    -- The statement that was running when this row was written, if it runs outside a transaction.
    running integer,
    started_at timestamptz not null default clock_timestamp(),
    primary key (version, direction)
);
comment on table bedplate.migration_progress is
    'Bedplate: migrations that cannot be one transaction and have not finished';

create table bedplate.policy_runs (
    only_row boolean primary key default true check (only_row),
    checksum text not null,
    files integer not null,
    bedplate_version text not null,
    applied_at timestamptz not null default clock_timestamp()
);
comment on table bedplate.policy_runs is 'Bedplate: the last run of policies/*.sql';

create table bedplate.seeds (
    name text primary key,
    checksum text not null,
    statements integer not null,
    bedplate_version text not null,
    applied_at timestamptz not null default clock_timestamp()
);
comment on table bedplate.seeds is 'Bedplate: the seed files that this database has';

create table bedplate.provided_extensions (
    name text primary key,
    -- Whether its functions work. False: they exist, and raise feature_not_supported when they are called.
    works boolean not null,
    created_at timestamptz not null default clock_timestamp()
);
comment on table bedplate.provided_extensions is
    'Bedplate: extensions that apps ask for and that are made of plain SQL here, since the server has no library';

create function bedplate.not_offered(feature text, hint text default null) returns void
language plpgsql
set search_path = ''
as $$
begin
    raise exception using
        errcode = 'feature_not_supported',
        message = pg_catalog.format('%s is not offered by this Bedplate', feature),
        hint = coalesce(hint, 'It exists so that migrations which mention it apply. Take the call out, or run on a '
            'PostgreSQL server that has the extension itself.');
end
$$;
-- Called inside the functions of provided extensions, by whoever calls those.
grant usage on schema bedplate to public;
grant execute on function bedplate.not_offered(text, text) to public;

-- Where Supabase's own tools look for the migrations of a database.
create table if not exists supabase_migrations.schema_migrations (
    version text primary key
);
alter table supabase_migrations.schema_migrations
    add column if not exists statements text[],
    add column if not exists name text;

grant usage on schema public, extensions, auth, storage, realtime, graphql_public to anon, authenticated, service_role;
grant all on schema auth to supabase_auth_admin;
grant all on schema storage to supabase_storage_admin;
grant all on schema realtime to supabase_realtime_admin;
grant all on schema extensions, auth, storage to dashboard_user;

do $$
begin
    execute format('alter database %I set search_path = "$user", public, extensions', current_database());
    -- Apps write `owner to postgres` and `grant … to postgres`; the owner may have another name here.
    if current_user <> 'postgres' and pg_has_role(current_user, 'postgres', 'member') then
        execute format('grant all on database %I to postgres', current_database());
        grant all on schema public, extensions, auth, storage, realtime, graphql, graphql_public, vault to postgres;
    end if;
end
$$;

-- What the owner makes in public is open to the API roles as far as row-level security lets them: Supabase's
-- default, which apps count on. Bedplate serves nothing without RLS and a policy, whatever the grants say.
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
-- Functions are another matter: a function is served to a role that was granted it on purpose. PUBLIC's own default
-- still lets policies and triggers call them.
alter default privileges in schema public grant all on functions to service_role;
