select c.oid, n.nspname, c.relname, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity,
    c.reloptions, c.relispartition, c.reltype,
    case when c.relkind in ('v', 'f') then pg_relation_is_updatable(c.oid, true) end,
    d.description
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_description d
    on d.objoid = c.oid and d.classoid = 'pg_catalog.pg_class'::regclass and d.objsubid = 0
where c.relkind in ('r', 'p', 'v', 'm', 'f')
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
order by n.nspname, c.relname;
