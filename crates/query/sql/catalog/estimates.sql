-- Apart from the relations, because it changes without DDL.
select c.oid, c.reltuples
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'm', 'f')
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
order by c.oid;
