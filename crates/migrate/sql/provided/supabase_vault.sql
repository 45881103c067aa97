-- Encrypted secrets. The key must not live in the same database, so this cannot be made of SQL: reading and writing
-- raise feature_not_supported. An empty view would let an app go on with a missing secret.
create schema if not exists vault;
grant usage on schema vault to service_role;

create table vault.secrets (
    id uuid primary key default gen_random_uuid(),
    name text,
    description text not null default '',
    secret text not null,
    key_id uuid,
    nonce bytea,
    created_at timestamptz not null default current_timestamp,
    updated_at timestamptz not null default current_timestamp
);
create unique index secrets_name_idx on vault.secrets (name) where name is not null;
alter table vault.secrets enable row level security;

create function vault.refuse_row() returns trigger language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('vault.secrets (supabase_vault)', 'It would be kept in plain text. Keep secrets in the environment of the server.');
    return null;
end $$;
create trigger refuse_row before insert or update on vault.secrets for each row execute function vault.refuse_row();

create function vault.refuse_read() returns table (
    id uuid, name text, description text, secret text, decrypted_secret text, key_id uuid, nonce bytea,
    created_at timestamptz, updated_at timestamptz
) language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('vault.decrypted_secrets (supabase_vault)', 'Keep secrets in the environment of the server.');
end $$;
create view vault.decrypted_secrets as select * from vault.refuse_read();

create function vault.create_secret(
    new_secret text, new_name text default null, new_description text default '', new_key_id uuid default null
) returns uuid language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('vault.create_secret (supabase_vault)', 'Keep secrets in the environment of the server.');
    return null;
end $$;

create function vault.update_secret(
    secret_id uuid, new_secret text default null, new_name text default null, new_description text default null,
    new_key_id uuid default null
) returns void language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('vault.update_secret (supabase_vault)', 'Keep secrets in the environment of the server.');
end $$;
