-- Tables with their size, the columns that an index begins with, and how they have been read since the statistics of
-- PostgreSQL were last reset.
select n.nspname::text as schema,
       c.relname::text as "table",
       greatest(c.reltuples, coalesce(s.n_live_tup, 0), 0)::bigint as rows,
       array(
           select distinct a.attname::text
           from pg_catalog.pg_index i
           join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
           where i.indrelid = c.oid and i.indisvalid
       ) as indexed,
       coalesce(s.seq_scan, 0)::bigint as scans,
       coalesce(s.seq_tup_read, 0)::bigint as scanned_rows
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_stat_user_tables s on s.relid = c.oid
where c.relkind in ('r', 'p', 'm') and n.nspname = any ($1::text[])
order by schema, "table"
