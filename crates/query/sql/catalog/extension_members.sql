select d.classid = 'pg_catalog.pg_proc'::regclass, d.objid
from pg_catalog.pg_depend d
where d.deptype = 'e'
  and d.classid in ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass)
order by d.objid;
