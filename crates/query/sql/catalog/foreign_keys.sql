-- conparentid: the copies that partitions have of their parent's keys.
select con.conname, con.conrelid, con.conkey, con.confrelid, con.confkey
from pg_catalog.pg_constraint con
where con.contype = 'f' and con.conparentid = 0
order by con.conrelid, con.conname;
