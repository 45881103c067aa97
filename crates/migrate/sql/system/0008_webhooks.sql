-- Database webhooks of Supabase: apps' dumps have triggers that call supabase_functions.http_request.
create schema if not exists supabase_functions;
grant usage on schema supabase_functions to anon, authenticated, service_role, supabase_functions_admin;

create table if not exists supabase_functions.migrations (
    version text primary key,
    inserted_at timestamptz not null default now()
);
create table if not exists supabase_functions.hooks (
    id bigserial primary key,
    hook_table_id integer not null,
    hook_name text not null,
    created_at timestamptz not null default now(),
    request_id bigint
);
alter table supabase_functions.migrations enable row level security;
alter table supabase_functions.hooks enable row level security;

create function supabase_functions.http_request() returns trigger
language plpgsql
set search_path = ''
as $$
begin
    perform bedplate.not_offered(
        'The database webhook ' || tg_name,
        'Drop the trigger until webhooks are offered: drop trigger '
            || pg_catalog.quote_ident(tg_name) || ' on ' || tg_relid::pg_catalog.regclass::text || ';'
    );
    return null;
end
$$;
