-- What triggers do to a relation's rows before they are checked, as tgtype's bits. A partition's count for its root.
select coalesce(pg_partition_root(t.tgrelid)::oid, t.tgrelid), bit_or(t.tgtype)
from pg_catalog.pg_trigger t
where not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 66 <> 0
group by 1
order by 1;
