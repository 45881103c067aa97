select n.nspname, n.nspowner, n.nspacl
from pg_catalog.pg_namespace n
where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
order by n.nspname;
