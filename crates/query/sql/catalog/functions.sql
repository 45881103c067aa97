-- Plain functions that SQL can call; trigger functions cannot.
select p.oid, n.nspname, p.proname, p.proowner, p.proacl, p.prosecdef, p.provolatile, p.proretset, p.prorettype,
    p.prorows, p.pronargs, p.pronargdefaults, p.provariadic <> 0,
    p.proargtypes::oid[], p.proallargtypes, p.proargmodes, p.proargnames, p.proconfig, d.description
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
left join pg_catalog.pg_description d
    on d.objoid = p.oid and d.classoid = 'pg_catalog.pg_proc'::regclass and d.objsubid = 0
where p.prokind = 'f' and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
order by n.nspname, p.proname, p.pronargs, p.proargtypes;
