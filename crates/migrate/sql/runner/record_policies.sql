insert into bedplate.policy_runs (checksum, files, bedplate_version) values ($1, $2, $3)
on conflict (only_row) do update
set checksum = excluded.checksum, files = excluded.files, bedplate_version = excluded.bedplate_version,
    applied_at = clock_timestamp()
