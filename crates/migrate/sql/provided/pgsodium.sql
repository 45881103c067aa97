-- Encryption by libsodium with a key outside the database. Supabase's dumps name it; a call raises
-- feature_not_supported.
create schema if not exists pgsodium;

create function pgsodium.create_key(
    key_type text default 'aead-det', name text default null, raw_key bytea default null, raw_key_nonce bytea default null,
    parent_key uuid default null, key_context bytea default '\x7067736f6469756d', expires timestamptz default null,
    associated_data text default ''
) returns uuid language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('pgsodium.create_key');
    return null;
end $$;

create function pgsodium.crypto_aead_det_encrypt(message bytea, additional bytea, key_uuid uuid, nonce bytea default null)
returns bytea language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('pgsodium.crypto_aead_det_encrypt');
    return null;
end $$;

create function pgsodium.crypto_aead_det_decrypt(ciphertext bytea, additional bytea, key_uuid uuid, nonce bytea default null)
returns bytea language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('pgsodium.crypto_aead_det_decrypt');
    return null;
end $$;

create function pgsodium.crypto_aead_det_noncegen() returns bytea language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('pgsodium.crypto_aead_det_noncegen');
    return null;
end $$;

create function pgsodium.randombytes_buf(size integer) returns bytea language plpgsql set search_path = '' as $$
begin
    perform bedplate.not_offered('pgsodium.randombytes_buf', 'extensions.gen_random_bytes of pgcrypto gives random bytes.');
    return null;
end $$;
