-- Extensions installed from SQL text. A call raises feature_not_supported.
create schema if not exists pgtle;

create function pgtle.install_extension(name text, version text, description text, ext text, requires text[] default null)
returns boolean language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('pgtle.install_extension (pg_tle)', 'Put the SQL of that extension into a migration.');
    return null;
end $$;

create function pgtle.uninstall_extension(extname text) returns boolean language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('pgtle.uninstall_extension (pg_tle)');
    return null;
end $$;
