-- Message queues, with pgmq's names, signatures and table layout. This one works: a queue is a table, a message that was
-- read is hidden for a while (vt) and comes back unless it is deleted or archived. Partitioned queues are not offered.
create schema if not exists pgmq;
grant usage on schema pgmq to service_role;

create type pgmq.message_record as (
    msg_id bigint, read_ct integer, enqueued_at timestamptz, vt timestamptz, message jsonb, headers jsonb
);
create type pgmq.queue_record as (
    queue_name varchar, is_partitioned boolean, is_unlogged boolean, created_at timestamptz
);
create type pgmq.metrics_result as (
    queue_name text, queue_length bigint, newest_msg_age_sec integer, oldest_msg_age_sec integer, total_messages bigint,
    scrape_time timestamptz, queue_visible_length bigint
);
create table pgmq.meta (
    queue_name varchar primary key,
    is_partitioned boolean not null,
    is_unlogged boolean not null,
    created_at timestamptz not null default now()
);
grant select on pgmq.meta to service_role;

-- The table of a queue: q_… for messages, a_… for the archive. Names are case-blind, as in pgmq.
create function pgmq.format_table_name(queue_name text, prefix text) returns text
language plpgsql immutable set search_path = '' as $$
begin
    if queue_name is null or queue_name = '' or length(queue_name) > 47 then
        raise exception 'A queue name has 1 to 47 characters' using errcode = 'invalid_parameter_value';
    end if;
    if queue_name ~ '[$;'']|--' then
        raise exception 'The queue name % has characters that are not allowed', quote_literal(queue_name)
            using errcode = 'invalid_parameter_value';
    end if;
    return lower(prefix || '_' || queue_name);
end $$;

create function pgmq.make_queue(queue_name text, unlogged boolean) returns void
language plpgsql set search_path = '' as $$
declare
    queue constant text := pgmq.format_table_name(queue_name, 'q');
    archive constant text := pgmq.format_table_name(queue_name, 'a');
begin
    perform pg_advisory_xact_lock(hashtextextended('pgmq.' || queue, 0));
    execute format(
        'create %s table if not exists pgmq.%I (
            msg_id bigint primary key generated always as identity,
            read_ct integer not null default 0,
            enqueued_at timestamptz not null default now(),
            vt timestamptz not null,
            message jsonb,
            headers jsonb
        )', case when unlogged then 'unlogged' else '' end, queue);
    execute format('create index if not exists %I on pgmq.%I (vt)', queue || '_vt_idx', queue);
    execute format(
        'create table if not exists pgmq.%I (
            msg_id bigint primary key,
            read_ct integer not null default 0,
            enqueued_at timestamptz not null default now(),
            archived_at timestamptz not null default now(),
            vt timestamptz not null,
            message jsonb,
            headers jsonb
        )', archive);
    execute format('create index if not exists %I on pgmq.%I (archived_at)', 'archived_at_idx_' || queue_name, archive);
    insert into pgmq.meta (queue_name, is_partitioned, is_unlogged)
    values (make_queue.queue_name, false, unlogged)
    on conflict on constraint meta_pkey do nothing;
end $$;

create function pgmq.create_non_partitioned(queue_name text) returns void language sql
as $$ select pgmq.make_queue(queue_name, false) $$;
create function pgmq.create_unlogged(queue_name text) returns void language sql
as $$ select pgmq.make_queue(queue_name, true) $$;
create function pgmq.create(queue_name text) returns void language sql
as $$ select pgmq.make_queue(queue_name, false) $$;

create function pgmq.create_partitioned(
    queue_name text, partition_interval text default '10000', retention_interval text default '100000'
) returns void language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('pgmq.create_partitioned', 'Use pgmq.create.');
end $$;

create function pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz) returns setof bigint
language plpgsql set search_path = '' as $$
begin
    if cardinality(headers) > 0 and cardinality(headers) <> cardinality(msgs) then
        raise exception '% messages have % headers; give one each, or none', cardinality(msgs), cardinality(headers)
            using errcode = 'invalid_parameter_value';
    end if;
    return query execute format(
        'insert into pgmq.%I (vt, message, headers)
         select $2, m.message, m.headers from unnest($1, $3) as m (message, headers) where m.message is not null
         returning msg_id', pgmq.format_table_name(queue_name, 'q'))
    using msgs, delay, coalesce(headers, '{}');
end $$;
create function pgmq.send_batch(queue_name text, msgs jsonb[]) returns setof bigint language sql
as $$ select pgmq.send_batch(queue_name, msgs, null::jsonb[], clock_timestamp()) $$;
create function pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[]) returns setof bigint language sql
as $$ select pgmq.send_batch(queue_name, msgs, headers, clock_timestamp()) $$;
create function pgmq.send_batch(queue_name text, msgs jsonb[], delay integer) returns setof bigint language sql
as $$ select pgmq.send_batch(queue_name, msgs, null::jsonb[], clock_timestamp() + make_interval(secs => delay)) $$;
create function pgmq.send_batch(queue_name text, msgs jsonb[], delay timestamptz) returns setof bigint language sql
as $$ select pgmq.send_batch(queue_name, msgs, null::jsonb[], delay) $$;
create function pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay integer) returns setof bigint
language sql
as $$ select pgmq.send_batch(queue_name, msgs, headers, clock_timestamp() + make_interval(secs => delay)) $$;

create function pgmq.send(queue_name text, msg jsonb, headers jsonb, delay timestamptz) returns setof bigint
language plpgsql set search_path = '' as $$
begin
    return query execute format('insert into pgmq.%I (vt, message, headers) values ($1, $2, $3) returning msg_id',
        pgmq.format_table_name(queue_name, 'q')) using delay, msg, headers;
end $$;
create function pgmq.send(queue_name text, msg jsonb) returns setof bigint language sql
as $$ select pgmq.send(queue_name, msg, null::jsonb, clock_timestamp()) $$;
create function pgmq.send(queue_name text, msg jsonb, headers jsonb) returns setof bigint language sql
as $$ select pgmq.send(queue_name, msg, headers, clock_timestamp()) $$;
create function pgmq.send(queue_name text, msg jsonb, delay integer) returns setof bigint language sql
as $$ select pgmq.send(queue_name, msg, null::jsonb, clock_timestamp() + make_interval(secs => delay)) $$;
create function pgmq.send(queue_name text, msg jsonb, delay timestamptz) returns setof bigint language sql
as $$ select pgmq.send(queue_name, msg, null::jsonb, delay) $$;
create function pgmq.send(queue_name text, msg jsonb, headers jsonb, delay integer) returns setof bigint language sql
as $$ select pgmq.send(queue_name, msg, headers, clock_timestamp() + make_interval(secs => delay)) $$;

create function pgmq.read(queue_name text, vt integer, qty integer, conditional jsonb default '{}')
returns setof pgmq.message_record language plpgsql set search_path = '' as $$
declare
    queue constant text := pgmq.format_table_name(queue_name, 'q');
begin
    return query execute format(
        'with next as (
            select msg_id from pgmq.%1$I
            where vt <= clock_timestamp() and case when $3 <> ''{}'' then message @> $3 else true end
            order by msg_id limit $1 for update skip locked
        )
        update pgmq.%1$I m
        set vt = clock_timestamp() + make_interval(secs => $2), read_ct = m.read_ct + 1
        from next where m.msg_id = next.msg_id
        returning m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message, m.headers', queue)
    using qty, vt, coalesce(conditional, '{}');
end $$;

create function pgmq.read_with_poll(
    queue_name text, vt integer, qty integer, max_poll_seconds integer default 5, poll_interval_ms integer default 100,
    conditional jsonb default '{}'
) returns setof pgmq.message_record language plpgsql set search_path = '' as $$
declare
    until constant timestamptz := clock_timestamp() + make_interval(secs => max_poll_seconds);
begin
    loop
        return query select * from pgmq.read(queue_name, vt, qty, conditional);
        exit when found or clock_timestamp() >= until;
        perform pg_sleep(poll_interval_ms / 1000.0);
    end loop;
end $$;

create function pgmq.pop(queue_name text, qty integer default 1) returns setof pgmq.message_record
language plpgsql set search_path = '' as $$
begin
    return query execute format(
        'with next as (
            select msg_id from pgmq.%1$I where vt <= clock_timestamp()
            order by msg_id limit $1 for update skip locked
        )
        delete from pgmq.%1$I m using next where m.msg_id = next.msg_id
        returning m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message, m.headers',
        pgmq.format_table_name(queue_name, 'q'))
    using qty;
end $$;

create function pgmq.set_vt(queue_name text, msg_id bigint, vt integer) returns setof pgmq.message_record
language plpgsql set search_path = '' as $$
begin
    return query execute format(
        'update pgmq.%I set vt = clock_timestamp() + make_interval(secs => $1) where msg_id = $2
         returning msg_id, read_ct, enqueued_at, vt, message, headers', pgmq.format_table_name(queue_name, 'q'))
    using vt, msg_id;
end $$;

create function pgmq.delete(queue_name text, msg_ids bigint[]) returns setof bigint
language plpgsql set search_path = '' as $$
begin
    return query execute format('delete from pgmq.%I where msg_id = any ($1) returning msg_id',
        pgmq.format_table_name(queue_name, 'q')) using msg_ids;
end $$;
create function pgmq.delete(queue_name text, msg_id bigint) returns boolean language sql
as $$ select exists (select from pgmq.delete(queue_name, array[msg_id])) $$;

create function pgmq.archive(queue_name text, msg_ids bigint[]) returns setof bigint
language plpgsql set search_path = '' as $$
begin
    return query execute format(
        'with gone as (
            delete from pgmq.%I where msg_id = any ($1)
            returning msg_id, vt, read_ct, enqueued_at, message, headers
        )
        insert into pgmq.%I (msg_id, vt, read_ct, enqueued_at, message, headers)
        select msg_id, vt, read_ct, enqueued_at, message, headers from gone returning msg_id',
        pgmq.format_table_name(queue_name, 'q'), pgmq.format_table_name(queue_name, 'a'))
    using msg_ids;
end $$;
create function pgmq.archive(queue_name text, msg_id bigint) returns boolean language sql
as $$ select exists (select from pgmq.archive(queue_name, array[msg_id])) $$;

create function pgmq.purge_queue(queue_name text) returns bigint language plpgsql set search_path = '' as $$
declare
    gone bigint;
begin
    execute format('delete from pgmq.%I', pgmq.format_table_name(queue_name, 'q'));
    get diagnostics gone = row_count;
    return gone;
end $$;

create function pgmq.drop_queue(queue_name text) returns boolean language plpgsql set search_path = '' as $$
begin
    if not exists (select from pgmq.meta m where m.queue_name = drop_queue.queue_name) then
        raise notice 'pgmq queue % does not exist', quote_literal(queue_name);
        return false;
    end if;
    execute format('drop table if exists pgmq.%I, pgmq.%I',
        pgmq.format_table_name(queue_name, 'q'), pgmq.format_table_name(queue_name, 'a'));
    delete from pgmq.meta m where m.queue_name = drop_queue.queue_name;
    return true;
end $$;

create function pgmq.list_queues() returns setof pgmq.queue_record language sql stable
as $$ select queue_name, is_partitioned, is_unlogged, created_at from pgmq.meta $$;

create function pgmq.metrics(queue_name text) returns pgmq.metrics_result language plpgsql set search_path = '' as $$
declare
    result pgmq.metrics_result;
    queue constant text := pgmq.format_table_name(queue_name, 'q');
begin
    execute format(
        'select $1, count(*), extract(epoch from clock_timestamp() - max(enqueued_at))::integer,
            extract(epoch from clock_timestamp() - min(enqueued_at))::integer,
            coalesce((select case when s.is_called then s.last_value else 0 end from %s s), 0), clock_timestamp(),
            count(*) filter (where vt <= clock_timestamp())
         from pgmq.%I',
        pg_get_serial_sequence(format('pgmq.%I', queue), 'msg_id'), queue)
    into result using queue_name;
    return result;
end $$;

create function pgmq.metrics_all() returns setof pgmq.metrics_result language sql
as $$ select (pgmq.metrics(queue_name)).* from pgmq.meta $$;

create function pgmq.detach_archive(queue_name text) returns void language plpgsql set search_path = '' as $$
begin
    raise notice 'pgmq.detach_archive does nothing: a table of a queue belongs to no extension here';
end $$;
