-- Before anything else: where Bedplate writes down what it has done. Safe to run again.
create schema if not exists bedplate;
create table if not exists bedplate.system_migrations (
    version integer primary key,
    name text not null,
    -- False: the schema was there before us, made by another system, and was left alone.
    ours boolean not null default true,
    bedplate_version text not null,
    applied_at timestamptz not null default now()
);
comment on table bedplate.system_migrations is 'Bedplate: which parts of the database contract are installed';
