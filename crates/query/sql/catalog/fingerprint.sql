-- Changes whenever DDL was committed that the catalog would notice: every catalog row carries the transaction that
-- wrote it. Sums and counts, because the largest xmin means nothing after a wraparound. VACUUM and ANALYZE write in
-- place and do not show. Temporary tables are left out: some apps make them all the time.
with temporary as materialized (
    select oid from pg_catalog.pg_class where relpersistence = 't'
)
select concat_ws(',',
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_namespace where nspname not like 'pg\_%'),
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_class
        where relkind in ('r', 'p', 'v', 'm', 'f', 'c', 'i') and relpersistence <> 't'),
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_attribute
        where attnum > 0 and attrelid >= 16384 and attrelid not in (select oid from temporary)),
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_attrdef
        where adrelid not in (select oid from temporary)),
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_constraint
        where conrelid not in (select oid from temporary)),
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_proc where oid >= 16384),
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_type
        where oid >= 16384
          and typnamespace not in (select oid from pg_catalog.pg_namespace where nspname like 'pg\_temp\_%')),
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_enum),
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_cast where oid >= 16384),
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_policy),
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_trigger
        where tgrelid not in (select oid from temporary)),
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_rewrite where oid >= 16384),
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_description where objoid >= 16384),
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_auth_members),
    (select concat_ws(':', count(*), sum(xmin::text::bigint)) from pg_catalog.pg_db_role_setting),
    (select concat_ws(':', count(*), sum(hashtext(concat_ws(':', oid, rolname, rolsuper, rolbypassrls, rolinherit))))
        from pg_catalog.pg_roles));
