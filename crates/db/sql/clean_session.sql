select case when pg_catalog.now() = pg_catalog.statement_timestamp() then 'no transaction' else 'in a transaction' end;
reset session authorization;
reset all;
unlisten *;
close all;
select pg_catalog.pg_advisory_unlock_all();
