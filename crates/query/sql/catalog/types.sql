-- elem: what this is the array type of.
select t.oid, n.nspname, t.typname, format_type(t.oid, null), t.typtype, t.typcategory,
    t.typbasetype, t.typtypmod, t.typnotnull, t.typdefault, t.typrelid, elem.oid, d.description
from pg_catalog.pg_type t
join pg_catalog.pg_namespace n on n.oid = t.typnamespace
left join pg_catalog.pg_type elem on elem.oid = t.typelem and elem.typarray = t.oid
left join pg_catalog.pg_description d
    on d.objoid = t.oid and d.classoid = 'pg_catalog.pg_type'::regclass and d.objsubid = 0
       and n.nspname <> 'pg_catalog'
where t.typisdefined
order by t.oid;
