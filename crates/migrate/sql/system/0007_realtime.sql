-- Messages between clients and from triggers, and who listens to what. The publication is the list of tables whose
-- changes apps may follow; apps add theirs.
create type realtime.action as enum ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'ERROR');
create type realtime.equality_op as enum (
    'eq', 'neq', 'lt', 'lte', 'gt', 'gte', 'in', 'like', 'ilike', 'is', 'match', 'imatch', 'isdistinct'
);
create type realtime.user_defined_filter as (column_name text, op realtime.equality_op, value text, negate boolean);

create table realtime.schema_migrations (
    version bigint primary key,
    inserted_at timestamp(0)
);

create table realtime.messages (
    topic text not null,
    extension text not null,
    payload jsonb,
    event text,
    private boolean default false,
    updated_at timestamp not null default (now() at time zone 'utc'),
    inserted_at timestamp not null default (now() at time zone 'utc'),
    id uuid not null default gen_random_uuid(),
    binary_payload bytea,
    constraint messages_payload_exclusive check (payload is null or binary_payload is null),
    primary key (id, inserted_at)
) partition by range (inserted_at);
comment on table realtime.messages is 'Realtime: broadcast messages, one partition per day (UTC)';
create index messages_inserted_at_topic_index on realtime.messages (inserted_at desc, topic)
    where extension = 'broadcast' and private;
alter table realtime.messages enable row level security;
grant select, insert, update on realtime.messages to anon, authenticated, service_role;
grant all on realtime.messages to supabase_realtime_admin, dashboard_user;

-- Makes the partition of a day, if it is missing. Built beside and attached, because CREATE … PARTITION OF would lock
-- every reader and writer out.
create function realtime.ensure_partition(day date) returns void
language plpgsql security definer
set search_path = ''
as $$
declare
    partition constant text := 'messages_' || pg_catalog.to_char(day, 'YYYY_MM_DD');
begin
    if pg_catalog.to_regclass('realtime.' || partition) is not null then
        return;
    end if;
    if day not between (pg_catalog.now() at time zone 'utc')::date - 8 and (pg_catalog.now() at time zone 'utc')::date + 8 then
        raise exception 'Partitions are made for at most eight days back and ahead, not for %', day
            using errcode = 'invalid_parameter_value';
    end if;
    perform pg_catalog.pg_advisory_xact_lock(4274391, 20);
    if pg_catalog.to_regclass('realtime.' || partition) is not null then
        return;
    end if;
    execute pg_catalog.format('create table realtime.%I (like realtime.messages including defaults including constraints)', partition);
    execute pg_catalog.format('alter table realtime.%I enable row level security', partition);
    execute pg_catalog.format(
        'alter table realtime.messages attach partition realtime.%I for values from (%L) to (%L)',
        partition, day, day + 1
    );
end
$$;
comment on function realtime.ensure_partition(date) is 'Bedplate: makes the partition of realtime.messages for a day';
revoke execute on function realtime.ensure_partition(date) from public;
grant execute on function realtime.ensure_partition(date) to anon, authenticated, service_role, supabase_realtime_admin;

create function realtime.to_regrole(role_name text) returns regrole
language sql immutable
as $$ select role_name::regrole $$;

create table realtime.subscription (
    id bigint generated always as identity constraint pk_subscription primary key,
    subscription_id uuid not null,
    entity regclass not null,
    filters realtime.user_defined_filter[] not null default '{}',
    claims jsonb not null,
    claims_role regrole not null generated always as (realtime.to_regrole(claims ->> 'role')) stored,
    created_at timestamp not null default timezone('utc', now()),
    action_filter text default '*' check (action_filter in ('*', 'INSERT', 'UPDATE', 'DELETE')),
    selected_columns text[] default null
);
create unique index subscription_subscription_id_entity_filters_action_filter_selec
    on realtime.subscription (subscription_id, entity, filters, action_filter, coalesce(selected_columns, '{}'));
create index ix_realtime_subscription_entity on realtime.subscription (entity);
alter table realtime.subscription enable row level security;
alter table realtime.schema_migrations enable row level security;
grant all on realtime.subscription to supabase_realtime_admin;

create function realtime.topic() returns text
language sql stable parallel safe
as $$ select nullif(current_setting('realtime.topic', true), '') $$;
comment on function realtime.topic() is 'For policies on realtime.messages: the channel that the client asks for';

-- A message that cannot be written must not undo the change that caused it: a warning, as in Supabase.
create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
language plpgsql
as $$
declare
    message constant uuid := gen_random_uuid();
begin
    perform set_config('realtime.topic', send.topic, true);
    perform realtime.ensure_partition((now() at time zone 'utc')::date);
    insert into realtime.messages (id, payload, event, topic, private, extension)
    values (
        message,
        -- Clients tell messages apart by it.
        case when send.payload ? 'id' or jsonb_typeof(send.payload) <> 'object' then send.payload
            else jsonb_set(send.payload, '{id}', to_jsonb(message)) end,
        send.event, send.topic, send.private, 'broadcast'
    );
exception
    when others then
        raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
end
$$;

create function realtime.send_binary(payload bytea, event text, topic text, private boolean default true) returns void
language plpgsql
as $$
begin
    perform set_config('realtime.topic', send_binary.topic, true);
    perform realtime.ensure_partition((now() at time zone 'utc')::date);
    insert into realtime.messages (binary_payload, event, topic, private, extension)
    values (send_binary.payload, send_binary.event, send_binary.topic, send_binary.private, 'broadcast');
exception
    when others then
        raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
end
$$;

create function realtime.broadcast_changes(
    topic_name text, event_name text, operation text, table_name text, table_schema text, new record, old record,
    level text default 'ROW'
) returns void
language plpgsql
as $$
begin
    if level = 'STATEMENT' then
        raise exception 'realtime.broadcast_changes works in row-level triggers only' using errcode = 'wrong_object_type';
    end if;
    if operation is null or operation not in ('INSERT', 'UPDATE', 'DELETE') then
        raise exception 'Unexpected operation type: %', operation using errcode = 'invalid_parameter_value';
    end if;
    perform realtime.send(
        jsonb_build_object(
            'old_record', old, 'record', new, 'operation', operation, 'table', table_name, 'schema', table_schema
        ),
        event_name, topic_name
    );
end
$$;

do $$
declare
    today constant date := (now() at time zone 'utc')::date;
begin
    for ahead in -1 .. 3 loop
        perform realtime.ensure_partition(today + ahead);
    end loop;
    if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
        create publication supabase_realtime;
    end if;
end
$$;
