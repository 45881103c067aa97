-- Scheduled SQL. The signatures are pg_cron's; a call raises feature_not_supported.
create schema if not exists cron;

create table cron.job (
    jobid bigserial primary key,
    schedule text not null,
    command text not null,
    nodename text not null default 'localhost',
    nodeport integer not null default inet_server_port(),
    database text not null default current_database(),
    username text not null default current_user,
    active boolean not null default true,
    jobname text,
    unique (jobname, username)
);
create table cron.job_run_details (
    jobid bigint,
    runid bigserial primary key,
    job_pid integer,
    database text,
    username text,
    command text,
    status text,
    return_message text,
    start_time timestamptz,
    end_time timestamptz
);

create function cron.refuse_row() returns trigger language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('cron.job (pg_cron)', 'Nothing would run it. Describe the job in jobs/ of the app.');
    return null;
end $$;
create trigger refuse_row before insert or update on cron.job for each row execute function cron.refuse_row();

create function cron.schedule(schedule text, command text) returns bigint
language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('cron.schedule (pg_cron)', 'Nothing would run it. Take the call out of the migration, '
        'or wrap it: do $x$ begin perform cron.schedule(…); exception when feature_not_supported then null; end $x$;');
    return null;
end $$;

create function cron.schedule(job_name text, schedule text, command text) returns bigint
language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('cron.schedule (pg_cron)', 'Nothing would run it. Take the call out of the migration, '
        'or wrap it: do $x$ begin perform cron.schedule(…); exception when feature_not_supported then null; end $x$;');
    return null;
end $$;

create function cron.schedule_in_database(
    job_name text, schedule text, command text, database text, username text default null, active boolean default true
) returns bigint language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('cron.schedule_in_database (pg_cron)');
    return null;
end $$;

create function cron.alter_job(
    job_id bigint, schedule text default null, command text default null, database text default null,
    username text default null, active boolean default null
) returns void language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('cron.alter_job (pg_cron)');
end $$;

create function cron.unschedule(job_id bigint) returns boolean language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('cron.unschedule (pg_cron)');
    return null;
end $$;

create function cron.unschedule(job_name text) returns boolean language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('cron.unschedule (pg_cron)');
    return null;
end $$;
