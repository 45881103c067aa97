-- What an interrupted CREATE INDEX CONCURRENTLY leaves: an index of that name, in that schema or on the search path, that is not valid.
select n.nspname, c.relname, i.indisvalid
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_index i on i.indexrelid = c.oid
where c.relname = $1 and case when $2::text is null then n.nspname = any (current_schemas(false)) else n.nspname = $2 end
