-- HTTP requests from SQL. The signatures are pg_net's; a call raises feature_not_supported.
create schema if not exists net;
grant usage on schema net to anon, authenticated, service_role, supabase_functions_admin;

create type net.request_status as enum ('PENDING', 'SUCCESS', 'ERROR');
create type net.http_response as (status_code integer, headers jsonb, body text);
create type net.http_response_result as (status net.request_status, message text, response net.http_response);

create table net.http_request_queue (
    id bigserial primary key,
    method text not null,
    url text not null,
    headers jsonb not null,
    body bytea,
    timeout_milliseconds integer not null
);
create table net._http_response (
    id bigint,
    status_code integer,
    content_type text,
    headers jsonb,
    content text,
    timed_out boolean,
    error_msg text,
    created timestamptz not null default now()
);

create function net.http_get(
    url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000
) returns bigint language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('net.http_get (pg_net)', 'Send the request from a job or a function of the app.');
    return null;
end $$;

create function net.http_post(
    url text, body jsonb default '{}', params jsonb default '{}',
    headers jsonb default '{"Content-Type": "application/json"}', timeout_milliseconds integer default 5000
) returns bigint language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('net.http_post (pg_net)', 'Send the request from a job or a function of the app.');
    return null;
end $$;

create function net.http_delete(
    url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000,
    body jsonb default null
) returns bigint language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('net.http_delete (pg_net)', 'Send the request from a job or a function of the app.');
    return null;
end $$;

create function net.http_collect_response(request_id bigint, async boolean default true)
returns net.http_response_result language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('net.http_collect_response (pg_net)');
    return null;
end $$;
