select to_regclass('bedplate.migrations') is not null and to_regclass('supabase_migrations.schema_migrations') is not null
