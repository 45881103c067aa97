insert into bedplate.migration_progress (version, direction, done, done_checksum, running)
values ($1, $2, $3, $4, $5)
on conflict (version, direction) do update
set done = excluded.done, done_checksum = excluded.done_checksum, running = excluded.running
