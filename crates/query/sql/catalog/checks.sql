-- NOT ENFORCED came with PostgreSQL 18: where pg_constraint has no such column, the inner query finds the fallback's.
select con.conname, con.conrelid, con.contypid, pg_get_expr(con.conbin, con.conrelid)
from pg_catalog.pg_constraint con
join pg_catalog.pg_namespace n on n.oid = con.connamespace
cross join (select true as conenforced) fallback
where con.contype = 'c'
  and (select conenforced from pg_catalog.pg_constraint self where self.oid = con.oid)
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
order by con.conrelid, con.contypid, con.conname;
