-- JSON Web Tokens with a shared secret (RFC 7515, RFC 7518 §3.2), on pgcrypto. This one works.
create or replace function extensions.url_encode(data bytea) returns text
language sql immutable strict parallel safe
as $$ select rtrim(translate(encode(data, 'base64'), E'+/\n', '-_'), '=') $$;

create or replace function extensions.url_decode(data text) returns bytea
language sql immutable strict parallel safe
as $$
    select decode(
        translate(data, '-_', '+/') || repeat('=', (4 - length(data) % 4) % 4), 'base64'
    )
$$;

create or replace function extensions.algorithm_sign(signables text, secret text, algorithm text) returns text
language plpgsql immutable parallel safe
as $$
declare
    hash constant text := case algorithm when 'HS256' then 'sha256' when 'HS384' then 'sha384' when 'HS512' then 'sha512' end;
begin
    if hash is null then
        raise exception 'Unknown algorithm %; use HS256, HS384 or HS512', coalesce(quote_literal(algorithm), 'null')
            using errcode = 'invalid_parameter_value';
    end if;
    return extensions.url_encode(extensions.hmac(signables, secret, hash));
end $$;

create or replace function extensions.sign(payload json, secret text, algorithm text default 'HS256') returns text
language sql immutable parallel safe
as $$
    with parts as (
        select extensions.url_encode(convert_to(format('{"alg":"%s","typ":"JWT"}', algorithm), 'utf8')) || '.'
            || extensions.url_encode(convert_to(payload::text, 'utf8')) as body
    )
    select body || '.' || extensions.algorithm_sign(body, secret, algorithm) from parts
$$;

create or replace function extensions.try_cast_double(inp text) returns double precision
language plpgsql immutable parallel safe
as $$
begin
    return inp::double precision;
exception
    when others then return null;
end $$;

-- `valid`: the signature fits, the header names this algorithm, and now lies between nbf and exp, if they are there.
create or replace function extensions.verify(token text, secret text, algorithm text default 'HS256')
returns table (header json, payload json, valid boolean)
language sql stable parallel safe
as $$
    with parts as (
        select split_part(token, '.', 1) as head, split_part(token, '.', 2) as body, split_part(token, '.', 3) as signature
    ), opened as (
        select convert_from(extensions.url_decode(head), 'utf8')::json as header,
            convert_from(extensions.url_decode(body), 'utf8')::json as payload,
            -- Compared as digests under the secret, so that the time taken says nothing about the right signature.
            extensions.hmac(signature, secret, 'sha256')
                = extensions.hmac(extensions.algorithm_sign(head || '.' || body, secret, algorithm), secret, 'sha256') as signed
        from parts
    )
    select o.header, o.payload, coalesce(
        o.signed and o.header ->> 'alg' = algorithm
        and extract(epoch from now()) >= coalesce(extensions.try_cast_double(o.payload ->> 'nbf'), 0)
        and extract(epoch from now()) < coalesce(extensions.try_cast_double(o.payload ->> 'exp'), 'infinity'),
        false
    )
    from opened o
$$;
