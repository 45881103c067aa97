-- Foreign data wrappers written in Rust. A handler cannot be made of SQL: CREATE FOREIGN DATA WRAPPER with one of them
-- fails because the function does not exist. What is here lets dumps apply that merely have the extension switched on.
create table if not exists extensions.wrappers_fdw_stats (
    fdw_name text primary key,
    create_times bigint,
    rows_in bigint,
    rows_out bigint,
    bytes_in bigint,
    bytes_out bigint,
    metadata jsonb,
    created_at timestamptz not null default timezone('utc', now()),
    updated_at timestamptz not null default timezone('utc', now())
);
alter table extensions.wrappers_fdw_stats enable row level security;
