-- Also of free-standing composite types (relkind c).
select a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod),
    a.attnotnull, a.attgenerated, a.attidentity, pg_get_expr(ad.adbin, ad.adrelid), a.attacl, d.description,
    a.attndims
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_catalog.pg_attrdef ad on ad.adrelid = a.attrelid and ad.adnum = a.attnum
left join pg_catalog.pg_description d
    on d.objoid = a.attrelid and d.classoid = 'pg_catalog.pg_class'::regclass and d.objsubid = a.attnum
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
order by a.attrelid, a.attnum;
