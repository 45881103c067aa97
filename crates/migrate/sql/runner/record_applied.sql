with ours as (
    insert into bedplate.migrations (version, name, checksum, adopted, statements, duration_ms, bedplate_version)
    values ($1, $2, $3, $4, $5, $6, $7)
), progress as (
    delete from bedplate.migration_progress where version = $1
)
insert into supabase_migrations.schema_migrations (version, name, statements)
values ($1, $2, $8)
on conflict (version) do nothing
