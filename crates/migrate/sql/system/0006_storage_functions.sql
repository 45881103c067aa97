-- For policies: parts of an object's name. Plain SQL, so that they are inlined.
create function storage.foldername(name text) returns text[]
language sql immutable parallel safe
as $$ select (string_to_array(name, '/'))[1 : array_length(string_to_array(name, '/'), 1) - 1] $$;
comment on function storage.foldername(text) is 'a/b/c.png → {a,b}';

create function storage.filename(name text) returns text
language sql immutable parallel safe
as $$ select split_part(name, '/', -1) $$;
comment on function storage.filename(text) is 'a/b/c.png → c.png';

create function storage.extension(name text) returns text
language sql immutable parallel safe
as $$ select split_part(split_part(name, '/', -1), '.', -1) $$;
comment on function storage.extension(text) is 'a/b/c.png → png';

-- For policies: what the Storage API is doing, for example storage.object.get.
create function storage.operation() returns text
language sql stable parallel safe
as $$ select current_setting('storage.operation', true) $$;

create function storage.allow_only_operation(expected_operation text) returns boolean
language sql stable parallel safe
as $$
    select coalesce(
        nullif(expected_operation, '') is not null
        and regexp_replace(current_setting('storage.operation', true), '^storage\.', '')
            = regexp_replace(expected_operation, '^storage\.', ''),
        false
    )
$$;

create function storage.allow_any_operation(expected_operations text[]) returns boolean
language sql stable parallel safe
as $$
    select exists (
        select from unnest(expected_operations) as wanted (operation)
        where storage.allow_only_operation(wanted.operation)
    )
$$;

create function storage.get_size_by_bucket() returns table (size bigint, bucket_id text)
language sql stable
as $$
    select sum((o.metadata ->> 'size')::bigint)::bigint, o.bucket_id
    from storage.objects o
    group by o.bucket_id
$$;

create function storage.get_common_prefix(p_key text, p_prefix text, p_delimiter text) returns text
language sql immutable parallel safe
as $$
    select case when position(p_delimiter in substr(p_key, length(p_prefix) + 1)) > 0 then
        left(p_key, length(p_prefix) + position(p_delimiter in substr(p_key, length(p_prefix) + 1)))
    end
$$;
comment on function storage.get_common_prefix(text, text, text) is
    'The folder, with its delimiter, that a key shows as when listing below a prefix; null for a key right below it';

-- One level of a bucket, by offset. Names are relative to the prefix. Row-level security of the caller applies.
create function storage.search(
    prefix text, bucketname text, limits integer default 100, levels integer default 1, offsets integer default 0,
    search text default '', sortcolumn text default 'name', sortorder text default 'asc'
) returns table (
    name text, id uuid, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz, metadata jsonb
)
language plpgsql stable
as $$
declare
    path constant text := coalesce(prefix, '') || coalesce(search, '');
    first_token constant integer := greatest(cardinality(string_to_array(coalesce(prefix, ''), '/')), 1);
    last_token constant integer := greatest(cardinality(string_to_array(path, '/')), 1);
    direction constant text := case when lower(sortorder) = 'desc' then 'desc' else 'asc' end;
    -- By name, folders stand among the files; by time, they come first, for they have none.
    ordering constant text := case
        when lower(sortcolumn) in ('updated_at', 'created_at', 'last_accessed_at') then
            format('(listed.id is not null), listed.%I %s, lower(listed.name) collate "C" %s',
                lower(sortcolumn), direction, direction)
        else format('lower(listed.name) collate "C" %s, (listed.id is not null)', direction)
    end;
begin
    return query execute format($q$
        with found as (
            select array_to_string(o.path_tokens[$1:$2], '/') as entry, cardinality(o.path_tokens) > $2 as folder,
                o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata
            from storage.objects o
            where o.bucket_id = $3 and lower(o.name) collate "C" like $4
        ), listed (name, id, updated_at, created_at, last_accessed_at, metadata) as (
            select f.entry, null::uuid, null::timestamptz, null::timestamptz, null::timestamptz, null::jsonb
            from found f where f.folder group by f.entry
            union all
            select f.entry, f.id, f.updated_at, f.created_at, f.last_accessed_at, f.metadata
            from found f where not f.folder
        )
        select * from listed order by %s limit $5 offset $6
        $q$, ordering)
    using first_token, last_token, bucketname,
        lower(regexp_replace(path, '([\\%_])', '\\\1', 'g')) || '%',
        least(coalesce(limits, 100), 1500), coalesce(offsets, 0);
end
$$;

-- One level of a bucket, by cursor. Names are whole paths; a folder has no id. Row-level security applies.
create function storage.search_v2(
    prefix text, bucket_name text, limits integer default 100, levels integer default 1, start_after text default '',
    sort_order text default 'asc', sort_column text default 'name', sort_column_after text default ''
) returns table (
    key text, name text, id uuid, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz,
    metadata jsonb
)
language plpgsql stable
as $$
declare
    direction constant text := case when lower(sort_order) = 'desc' then 'desc' else 'asc' end;
    beyond constant text := case when direction = 'desc' then '<' else '>' end;
    by_time constant boolean := lower(coalesce(sort_column, '')) in ('updated_at', 'created_at');
    -- Milliseconds, because that is what a cursor in JSON keeps.
    ordering constant text := case when by_time
        then format('date_trunc(''milliseconds'', listed.%I)', lower(sort_column)) else 'null::timestamptz' end;
    after text := coalesce(start_after, '');
begin
    -- A folder sorts behind a file of the same name; a cursor that names a folder means: behind all of it.
    if after <> '' and exists (
        select from storage.objects o
        where o.bucket_id = bucket_name and o.name collate "C" >= after || '/' and o.name collate "C" < after || '0'
    ) then
        after := after || '/';
    end if;
    return query execute format($q$
        with listed (sort_key, id, updated_at, created_at, last_accessed_at, metadata) as (
            select storage.get_common_prefix(o.name, $1, '/'), null::uuid, min(o.created_at), min(o.created_at),
                null::timestamptz, null::jsonb
            from storage.objects o
            where o.bucket_id = $2 and o.name collate "C" like $3
                and storage.get_common_prefix(o.name, $1, '/') is not null
            group by 1
            union all
            select o.name, o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata
            from storage.objects o
            where o.bucket_id = $2 and o.name collate "C" like $3
                and storage.get_common_prefix(o.name, $1, '/') is null
        )
        select split_part(rtrim(listed.sort_key, '/'), '/', $4), rtrim(listed.sort_key, '/'), listed.id,
            listed.updated_at, listed.created_at, listed.last_accessed_at, listed.metadata
        from listed
        where $5 = '' or case when $6
            then (%1$s, listed.sort_key collate "C") %2$s ($7::timestamptz, $5 collate "C")
            else listed.sort_key collate "C" %2$s $5 end
        order by %1$s %3$s, listed.sort_key collate "C" %3$s
        limit $8
        $q$, ordering, beyond, direction)
    using coalesce(prefix, ''), bucket_name,
        regexp_replace(coalesce(prefix, ''), '([\\%_])', '\\\1', 'g') || '%',
        coalesce(levels, 1), after, by_time and coalesce(sort_column_after, '') <> '',
        case when by_time then nullif(sort_column_after, '')::timestamptz end,
        least(coalesce(limits, 100), 1500);
end
$$;
