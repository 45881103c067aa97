-- Files: what is known of each object. The bytes are elsewhere.
create type storage.buckettype as enum ('STANDARD', 'ANALYTICS', 'VECTOR');

create table storage.migrations (
    id integer primary key,
    name varchar(100) not null unique,
    hash varchar(40) not null,
    executed_at timestamp default current_timestamp
);

create table storage.buckets (
    id text primary key,
    name text not null,
    owner uuid,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    public boolean default false,
    avif_autodetection boolean default false,
    file_size_limit bigint,
    allowed_mime_types text[],
    owner_id text,
    type storage.buckettype not null default 'STANDARD',
    -- Object versions are not offered; the column is there because clients read it.
    versioning_status text not null default 'DISABLED'
        constraint buckets_versioning_status_check check (versioning_status = 'DISABLED')
);
comment on column storage.buckets.owner is 'Deprecated: use owner_id';
create unique index bname on storage.buckets (name);

create table storage.objects (
    id uuid primary key default gen_random_uuid(),
    bucket_id text constraint "objects_bucketId_fkey" references storage.buckets,
    name text,
    owner uuid,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    last_accessed_at timestamptz default now(),
    metadata jsonb,
    path_tokens text[] generated always as (string_to_array(name, '/')) stored,
    version text,
    owner_id text,
    user_metadata jsonb,
    archived_at timestamptz,
    is_delete_marker boolean not null default false,
    is_versioned boolean not null default false
);
comment on column storage.objects.owner is 'Deprecated: use owner_id';
create unique index bucketid_objname on storage.objects (bucket_id, name);
create index idx_objects_bucket_id_name on storage.objects (bucket_id, name collate "C");
create index idx_objects_bucket_id_name_lower on storage.objects (bucket_id, lower(name) collate "C");
create index name_prefix_search on storage.objects (name text_pattern_ops);

create table storage.s3_multipart_uploads (
    id text primary key,
    in_progress_size bigint not null default 0,
    upload_signature text not null,
    bucket_id text not null references storage.buckets,
    key text not null collate "C",
    version text not null,
    owner_id text,
    created_at timestamptz not null default now(),
    user_metadata jsonb,
    metadata jsonb
);
create index idx_multipart_uploads_list on storage.s3_multipart_uploads (bucket_id, key, created_at);

create table storage.s3_multipart_uploads_parts (
    id uuid primary key default gen_random_uuid(),
    upload_id text not null references storage.s3_multipart_uploads on delete cascade,
    size bigint not null default 0,
    part_number integer not null,
    bucket_id text not null references storage.buckets,
    key text not null collate "C",
    etag text not null,
    owner_id text,
    version text not null,
    created_at timestamptz not null default now()
);

alter table storage.migrations enable row level security;
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;
alter table storage.s3_multipart_uploads enable row level security;
alter table storage.s3_multipart_uploads_parts enable row level security;

-- Row-level security decides; without a policy nobody but service_role sees a row.
grant all on storage.buckets, storage.objects to anon, authenticated, service_role;
grant select on storage.s3_multipart_uploads, storage.s3_multipart_uploads_parts to anon, authenticated;
grant all on storage.s3_multipart_uploads, storage.s3_multipart_uploads_parts, storage.migrations to service_role;
grant all on all tables in schema storage to supabase_storage_admin, dashboard_user;

create function storage.update_updated_at_column() returns trigger
language plpgsql
set search_path = ''
as $$
begin
    new.updated_at := pg_catalog.now();
    return new;
end
$$;
create trigger update_objects_updated_at before update on storage.objects
    for each row execute function storage.update_updated_at_column();

create function storage.enforce_bucket_name_length() returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if length(new.name) > 100 then
        raise exception 'The bucket name has % characters; at most 100 are allowed', length(new.name)
            using errcode = 'string_data_right_truncation';
    end if;
    return new;
end
$$;
create trigger enforce_bucket_name_length_trigger before insert or update of name on storage.buckets
    for each row execute function storage.enforce_bucket_name_length();

-- A row deleted by hand leaves its bytes behind for ever. The server says storage.allow_delete_query when it deletes.
-- A statement that deletes nothing does no harm: migrations clean up buckets that a new database does not have.
create function storage.protect_delete() returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if coalesce(current_setting('storage.allow_delete_query', true), '') <> 'true' and exists (select from gone) then
        raise exception 'Direct deletion from storage tables is not allowed. Use the Storage API instead.'
            using errcode = 'insufficient_privilege',
                hint = 'The row is only the description of a file, whose bytes would stay. If that is what you want: '
                    'set local storage.allow_delete_query = ''true'';';
    end if;
    return null;
end
$$;
create trigger protect_buckets_delete after delete on storage.buckets
    referencing old table as gone for each statement execute function storage.protect_delete();
create trigger protect_objects_delete after delete on storage.objects
    referencing old table as gone for each statement execute function storage.protect_delete();
