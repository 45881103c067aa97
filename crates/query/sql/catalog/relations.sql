select c.oid, n.nspname, c.relname, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity,
    c.reloptions, c.relispartition, c.reltype,
    case
        when c.relkind = 'v' then pg_relation_is_updatable(c.oid, true)
        -- A wrapper without a handler cannot be asked, and must not keep the rest of the catalog from being read.
        when c.relkind = 'f' and exists (
            select from pg_catalog.pg_foreign_table t
            join pg_catalog.pg_foreign_server s on s.oid = t.ftserver
            join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw
            where t.ftrelid = c.oid and w.fdwhandler <> 0)
        then pg_relation_is_updatable(c.oid, true)
    end,
    d.description
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_description d
    on d.objoid = c.oid and d.classoid = 'pg_catalog.pg_class'::regclass and d.objsubid = 0
where c.relkind in ('r', 'p', 'v', 'm', 'f')
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
order by n.nspname, c.relname;
