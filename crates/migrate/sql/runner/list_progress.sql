select version, direction, done from bedplate.migration_progress
