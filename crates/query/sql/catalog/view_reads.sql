-- What a view's query names, columns or not. The rule depends on its own view too.
select r.ev_class, d.refobjid
from pg_catalog.pg_rewrite r
join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = r.oid
    and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid <> r.ev_class
join pg_catalog.pg_class c on c.oid = r.ev_class
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('v', 'm') and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
group by r.ev_class, d.refobjid
order by r.ev_class, d.refobjid;
