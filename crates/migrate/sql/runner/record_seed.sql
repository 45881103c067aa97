insert into bedplate.seeds (name, checksum, statements, bedplate_version) values ($1, $2, $3, $4)
on conflict (name) do update
set checksum = excluded.checksum, statements = excluded.statements, bedplate_version = excluded.bedplate_version,
    applied_at = clock_timestamp()
