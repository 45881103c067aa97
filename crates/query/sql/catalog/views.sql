-- The parse tree: its target list says which column each output column comes from.
select r.ev_class, r.ev_action
from pg_catalog.pg_rewrite r
join pg_catalog.pg_class c on c.oid = r.ev_class
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where r.rulename = '_RETURN' and c.relkind in ('v', 'm')
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
order by r.ev_class;
