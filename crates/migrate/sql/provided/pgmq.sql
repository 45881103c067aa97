-- Message queues. The signatures are pgmq's; a call raises feature_not_supported.
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

do $make$
declare
    f record;
begin
    for f in select * from (values
        ('create(queue_name text)', 'void'),
        ('create_non_partitioned(queue_name text)', 'void'),
        ('create_unlogged(queue_name text)', 'void'),
        ('drop_queue(queue_name text)', 'boolean'),
        ('purge_queue(queue_name text)', 'bigint'),
        ('detach_archive(queue_name text)', 'void'),
        ('list_queues()', 'setof pgmq.queue_record'),
        ('metrics(queue_name text)', 'pgmq.metrics_result'),
        ('metrics_all()', 'setof pgmq.metrics_result'),
        ('send(queue_name text, msg jsonb)', 'setof bigint'),
        ('send(queue_name text, msg jsonb, delay integer)', 'setof bigint'),
        ('send(queue_name text, msg jsonb, delay timestamptz)', 'setof bigint'),
        ('send(queue_name text, msg jsonb, headers jsonb)', 'setof bigint'),
        ('send(queue_name text, msg jsonb, headers jsonb, delay integer)', 'setof bigint'),
        ('send_batch(queue_name text, msgs jsonb[])', 'setof bigint'),
        ('send_batch(queue_name text, msgs jsonb[], delay integer)', 'setof bigint'),
        ('read(queue_name text, vt integer, qty integer, conditional jsonb default ''{}'')', 'setof pgmq.message_record'),
        ('read_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer default 5, '
            'poll_interval_ms integer default 100, conditional jsonb default ''{}'')', 'setof pgmq.message_record'),
        ('pop(queue_name text)', 'setof pgmq.message_record'),
        ('set_vt(queue_name text, msg_id bigint, vt integer)', 'setof pgmq.message_record'),
        ('delete(queue_name text, msg_id bigint)', 'boolean'),
        ('delete(queue_name text, msg_ids bigint[])', 'setof bigint'),
        ('archive(queue_name text, msg_id bigint)', 'boolean'),
        ('archive(queue_name text, msg_ids bigint[])', 'setof bigint')
    ) as v (signature, result)
    loop
        execute format(
            'create function pgmq.%s returns %s language plpgsql set search_path = '''' as %L', f.signature, f.result,
            format('begin perform bedplate.not_offered(%L); %s end',
                'pgmq.' || split_part(f.signature, '(', 1),
                case when f.result = 'void' or f.result like 'setof %' then '' else 'return null;' end)
        );
    end loop;
end
$make$;
