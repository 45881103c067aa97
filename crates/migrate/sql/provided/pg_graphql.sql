-- GraphQL in SQL. A call raises feature_not_supported.
create schema if not exists graphql;
create schema if not exists graphql_public;
grant usage on schema graphql, graphql_public to anon, authenticated, service_role;

create or replace function graphql.resolve(
    query text, variables jsonb default '{}', "operationName" text default null, extensions jsonb default null
) returns jsonb language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('graphql.resolve (pg_graphql)', 'Use /api/v1.');
    return null;
end $$;

create or replace function graphql_public.graphql(
    "operationName" text default null, query text default null, variables jsonb default null,
    extensions jsonb default null
) returns jsonb language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('graphql_public.graphql (pg_graphql)', 'Use /api/v1.');
    return null;
end $$;

create or replace function graphql.get_schema_version() returns integer language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('graphql.get_schema_version (pg_graphql)');
    return null;
end $$;

create or replace function graphql.increment_schema_version() returns event_trigger
language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('graphql.increment_schema_version (pg_graphql)');
end $$;
