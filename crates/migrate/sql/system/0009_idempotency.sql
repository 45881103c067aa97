-- Idempotency keys: what the first request with a key was answered, kept in the transaction of its write.
--
-- No role but the owner has rights on the tables. Requests come in under the roles of the API, so the three functions that
-- they need run with the owner's rights; PUBLIC may call them, and can do nothing with them: a record is found by an id
-- that only the server can compute (an HMAC under the secret), and kept only with a proof that only the server can give.

create table bedplate.secrets (
    name text primary key,
    value bytea not null,
    created_at timestamptz not null default now()
);
comment on table bedplate.secrets is 'Bedplate: secrets of the server that belong to the data. Not an API.';
alter table bedplate.secrets enable row level security;
revoke all on bedplate.secrets from public;
-- 244 bits of PostgreSQL's cryptographic random source.
insert into bedplate.secrets (name, value)
values ('idempotency', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

create table bedplate.idempotency_keys (
    -- 16 bytes for who asks, 16 for method, path, query and key.
    id bytea primary key check (octet_length(id) = 32),
    -- SHA-256 of the request.
    fingerprint bytea not null check (octet_length(fingerprint) = 32),
    status smallint not null check (status between 200 and 599),
    -- The answer's header fields as lines of HTTP/1.1.
    head bytea not null check (octet_length(head) <= 65536),
    body bytea not null check (octet_length(body) <= 67108864),
    expires_at timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0.05);
comment on table bedplate.idempotency_keys is
    'Bedplate: answers of requests with an Idempotency-Key, for those who ask again';
create index idempotency_keys_expires_at on bedplate.idempotency_keys (expires_at);
alter table bedplate.idempotency_keys enable row level security;
revoke all on bedplate.idempotency_keys from public;

-- Before the write: the request with this key is ours alone until the transaction ends, however it ends.
-- ZI001: it was answered before. ZI003: it is running now.
create function bedplate.idempotency_begin(key bytea) returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
    if not pg_catalog.pg_try_advisory_xact_lock(
        pg_catalog.hashtextextended(pg_catalog.encode(key, 'hex'), 0)
    ) then
        raise exception using errcode = 'ZI003', message = 'bedplate: the request with this key is still running';
    end if;
    -- A statement of its own, so that it sees what was committed before the lock was had.
    perform from bedplate.idempotency_keys k where k.id = key and k.expires_at > pg_catalog.clock_timestamp();
    if found then
        raise exception using errcode = 'ZI001', message = 'bedplate: the request with this key was answered before';
    end if;
end
$$;
comment on function bedplate.idempotency_begin(bytea) is 'Bedplate: claims a key for the transaction. Not an API.';

-- Beside the commit: the answer. ZI003: another transaction has kept one meanwhile. ZI004: the caller has too many keys.
-- ZI005: the server did not ask for this.
create function bedplate.idempotency_keep(
    key bytea,
    proof bytea,
    fingerprint bytea,
    status integer,
    head bytea,
    body bytea,
    seconds double precision,
    most integer
) returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
    -- One of 256 parts of the caller's keys; ids are evenly spread, so a part tells how many there are.
    part constant bytea := pg_catalog.substr(key, 1, 17);
begin
    if (
        proof = (select pg_catalog.sha256(s.value || key) from bedplate.secrets s where s.name = 'idempotency')
    ) is not true then
        raise exception using errcode = 'ZI005', message = 'bedplate: only the server keeps answers';
    end if;
    if most <= (
        select pg_catalog.count(*)
        from (
            select from bedplate.idempotency_keys k
            where k.id >= part and k.id <= part || '\xffffffffffffffffffffffffffffff'::pg_catalog.bytea
            limit most
        ) as known
    ) then
        raise exception using errcode = 'ZI004', message = 'bedplate: this caller has too many idempotency keys';
    end if;
    insert into bedplate.idempotency_keys as k (id, fingerprint, status, head, body, expires_at)
    values (
        key, fingerprint, status, head, body,
        pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => seconds)
    )
    -- One that has expired and is not swept yet.
    on conflict (id) do update
    set fingerprint = excluded.fingerprint, status = excluded.status, head = excluded.head, body = excluded.body,
        expires_at = excluded.expires_at
    where k.expires_at <= pg_catalog.clock_timestamp();
    if not found then
        raise exception using errcode = 'ZI003', message = 'bedplate: the request with this key was answered meanwhile';
    end if;
end
$$;
comment on function bedplate.idempotency_keep(
    bytea, bytea, bytea, integer, bytea, bytea, double precision, integer
) is 'Bedplate: keeps the answer of a request with a key. Not an API.';

create function bedplate.idempotency_find(key bytea)
returns table (fingerprint bytea, status integer, head bytea, body bytea)
language sql
stable
security definer
set search_path = ''
as $$
    select k.fingerprint, k.status::integer, k.head, k.body
    from bedplate.idempotency_keys k
    where k.id = key and k.expires_at > pg_catalog.clock_timestamp()
$$;
comment on function bedplate.idempotency_find(bytea) is 'Bedplate: the kept answer of a key. Not an API.';

-- Takes away what has expired, so many at most, and says how many; NULL: another server is at it.
create function bedplate.idempotency_sweep(most integer) returns bigint
language plpgsql
set search_path = ''
as $$
declare
    gone bigint;
begin
    if not pg_catalog.pg_try_advisory_xact_lock(
        pg_catalog.hashtextextended('bedplate.idempotency_sweep', 0)
    ) then
        return null;
    end if;
    delete from bedplate.idempotency_keys
    where id in (
        select k.id
        from bedplate.idempotency_keys k
        where k.expires_at <= pg_catalog.clock_timestamp()
        order by k.expires_at
        limit most
        for update skip locked
    );
    get diagnostics gone = row_count;
    return gone;
end
$$;
comment on function bedplate.idempotency_sweep(integer) is 'Bedplate: deletes expired idempotency keys. Not an API.';
revoke execute on function bedplate.idempotency_sweep(integer) from public;
