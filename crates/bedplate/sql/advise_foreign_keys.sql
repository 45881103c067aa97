-- Foreign keys whose columns no index begins with. Each delete of a referenced row, and each look-up of its children, then
-- reads the whole table. Of a partitioned table only the parent's keys.
select n.nspname::text as schema,
       c.relname::text as "table",
       con.conname::text as "constraint",
       array(
           select a.attname::text
           from unnest(con.conkey) with ordinality as k(attnum, place)
           join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attnum = k.attnum
           order by k.place
       ) as columns,
       greatest(c.reltuples, 0)::bigint as rows
from pg_catalog.pg_constraint con
join pg_catalog.pg_class c on c.oid = con.conrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where con.contype = 'f'
  and con.conparentid = 0
  and n.nspname = any ($1::text[])
  and not exists (
      select from pg_catalog.pg_index i
      where i.indrelid = con.conrelid
        and i.indisvalid
        -- A partial index serves where it leaves out nothing but NULLs.
        and (i.indpred is null or pg_catalog.pg_get_expr(i.indpred, i.indrelid) ~ '^\([^()]+ IS NOT NULL\)$')
        and (i.indkey::int2[])[0:cardinality(con.conkey) - 1] @> con.conkey
  )
order by rows desc, schema, "table", "constraint"
