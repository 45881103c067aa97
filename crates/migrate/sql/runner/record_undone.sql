with ours as (
    delete from bedplate.migrations where version = $1
), progress as (
    delete from bedplate.migration_progress where version = $1
)
delete from supabase_migrations.schema_migrations where version = $1
