select z.name from pg_catalog.pg_timezone_names z order by z.name collate "C"
