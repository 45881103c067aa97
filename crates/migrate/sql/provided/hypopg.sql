-- Hypothetical indexes, which dashboards switch on and apps never call. A call raises feature_not_supported.
create function extensions.hypopg_create_index(sql_order text) returns table (indexrelid oid, indexname text)
language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('hypopg_create_index (hypopg)');
end $$;

create function extensions.hypopg_drop_index(indexid oid) returns boolean language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('hypopg_drop_index (hypopg)');
    return null;
end $$;

create function extensions.hypopg_reset() returns void language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('hypopg_reset (hypopg)');
end $$;
