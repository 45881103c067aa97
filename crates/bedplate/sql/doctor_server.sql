-- Facts about the server that the doctor judges.
select current_setting('server_version_num')::int as version,
       current_setting('server_version') as version_text,
       extract(epoch from clock_timestamp())::float8 as now,
       current_setting('fsync') as fsync,
       current_setting('full_page_writes') as full_page_writes,
       current_setting('synchronous_commit') as synchronous_commit,
       current_setting('data_checksums') as data_checksums,
       current_setting('wal_level') as wal_level,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as connections,
       pg_is_in_recovery() as in_recovery
