-- A linter for functions, which no app calls while it runs. A call raises feature_not_supported.
create function extensions.plpgsql_check_function(funcoid regprocedure, relid regclass default 0)
returns setof text language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('plpgsql_check_function (plpgsql_check)');
end $$;
