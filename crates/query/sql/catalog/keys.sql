-- Primary keys, and all that makes columns unique. Columns past indnkeyatts are only INCLUDEd.
-- indnullsnotdistinct came with PostgreSQL 15: where pg_index has no such column, the inner query finds the fallback's.
select i.indrelid, ic.relname, i.indisprimary, con.oid is not null, i.indnkeyatts, i.indkey::int2[],
    (select indnullsnotdistinct from pg_catalog.pg_index self where self.indexrelid = i.indexrelid)
from pg_catalog.pg_index i
join pg_catalog.pg_class ic on ic.oid = i.indexrelid
join pg_catalog.pg_class c on c.oid = i.indrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_constraint con
    on con.conindid = i.indexrelid and con.conrelid = i.indrelid and con.contype in ('p', 'u')
cross join (select false as indnullsnotdistinct) fallback
where i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
order by i.indrelid, ic.relname;
