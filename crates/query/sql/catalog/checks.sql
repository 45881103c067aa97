-- NOT ENFORCED came with PostgreSQL 18.
select con.conname, con.conrelid, con.contypid, pg_get_expr(con.conbin, con.conrelid)
from pg_catalog.pg_constraint con
join pg_catalog.pg_namespace n on n.oid = con.connamespace
where con.contype = 'c' and coalesce(to_jsonb(con) ->> 'conenforced', 'true') = 'true'
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
order by con.conrelid, con.contypid, con.conname;
