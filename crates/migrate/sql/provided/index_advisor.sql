-- Advice on indexes, which dashboards switch on and apps never call. A call raises feature_not_supported.
create function extensions.index_advisor(query text) returns table (
    startup_cost_before jsonb, startup_cost_after jsonb, total_cost_before jsonb, total_cost_after jsonb,
    index_statements text[], errors text[]
) language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('index_advisor');
end $$;
