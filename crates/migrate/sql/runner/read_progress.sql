select done, done_checksum, running from bedplate.migration_progress where version = $1 and direction = $2
