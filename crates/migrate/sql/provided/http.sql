-- Synchronous HTTP requests from SQL. A call raises feature_not_supported.
create type extensions.http_header as (field varchar, value varchar);
create type extensions.http_response as (
    status integer, content_type varchar, headers extensions.http_header[], content varchar
);
create type extensions.http_request as (
    method varchar, uri varchar, headers extensions.http_header[], content_type varchar, content varchar
);

create function extensions.http_header(field varchar, value varchar) returns extensions.http_header
language sql immutable
as $$ select row(field, value)::extensions.http_header $$;

create function extensions.urlencode(string varchar) returns text language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('urlencode (http)');
    return null;
end $$;

create function extensions.http(request extensions.http_request) returns extensions.http_response
language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('http', 'Send the request from a job or a function of the app.');
    return null;
end $$;

create function extensions.http_get(uri varchar) returns extensions.http_response
language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('http_get (http)', 'Send the request from a job or a function of the app.');
    return null;
end $$;

create function extensions.http_post(uri varchar, content varchar, content_type varchar) returns extensions.http_response
language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('http_post (http)', 'Send the request from a job or a function of the app.');
    return null;
end $$;

create function extensions.http_put(uri varchar, content varchar, content_type varchar) returns extensions.http_response
language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('http_put (http)', 'Send the request from a job or a function of the app.');
    return null;
end $$;

create function extensions.http_delete(uri varchar) returns extensions.http_response
language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('http_delete (http)', 'Send the request from a job or a function of the app.');
    return null;
end $$;

create function extensions.http_set_curlopt(curlopt varchar, value varchar) returns boolean
language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('http_set_curlopt (http)');
    return null;
end $$;
