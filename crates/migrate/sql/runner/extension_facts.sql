select
    (
        select n.nspname::text from pg_catalog.pg_extension e
        join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = $1
    ) as installed_in,
    coalesce((
        select pg_has_role(current_user, e.extowner, 'usage') from pg_catalog.pg_extension e where e.extname = $1
    ), false) as owned,
    exists (select from pg_catalog.pg_available_extensions a where a.name = $1) as available,
    coalesce((
        select bool_and(v.superuser and not v.trusted)
        from pg_catalog.pg_available_extension_versions v
        join pg_catalog.pg_available_extensions a on a.name = v.name and a.default_version = v.version
        where v.name = $1
    ), true) as needs_superuser,
    (
        select v.schema::text from pg_catalog.pg_available_extension_versions v
        join pg_catalog.pg_available_extensions a on a.name = v.name and a.default_version = v.version
        where v.name = $1
    ) as fixed_schema,
    exists (select from bedplate.provided_extensions p where p.name = $1) as provided,
    -- Hidden from roles without pg_read_all_settings: then nothing is known, and it counts as loaded.
    coalesce((
        select s.setting ~ ('(^|[,/ "])' || $1 || '("|,| |\.so|$)')
        from pg_catalog.pg_settings s where s.name = 'shared_preload_libraries'
    ), true) as preloaded,
    current_setting('server_version_num')::integer / 10000 as major
