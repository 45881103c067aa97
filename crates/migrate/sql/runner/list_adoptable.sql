-- Only a database whose migrations Bedplate has never run: it comes from Supabase's tools.
select version
from supabase_migrations.schema_migrations
where not exists (select from bedplate.migrations)
