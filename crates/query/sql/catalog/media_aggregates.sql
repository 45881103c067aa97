
-- Aggregates that make a representation of rows: they take a row (or anything) and answer a domain that is named like a
-- media type.
select n.nspname, p.proname, p.proargtypes[0], p.prorettype, p.proowner, p.proacl
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
join pg_catalog.pg_type t on t.oid = p.prorettype
where p.prokind = 'a' and p.pronargs = 1 and t.typtype = 'd' and t.typname like '%/%'
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
order by n.nspname, p.proname, p.oid;
