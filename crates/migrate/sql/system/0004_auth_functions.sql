-- Who is asking. Bedplate sets these per request; policies read them. Each is one STABLE SQL expression without SET or
-- SECURITY DEFINER, because only such functions are inlined into the query, where the planner can use them as index
-- conditions. `request.jwt.claim.*` (one setting per claim) is the older form and wins, as in Supabase.
-- Every request sets request.jwt.claims, so it comes first: a setting that an app's SQL left in the session cannot speak
-- for the caller. The single claims are what older tools set.
create or replace function auth.uid() returns uuid
language sql stable parallel safe
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub',
        nullif(current_setting('request.jwt.claim.sub', true), '')
    )::uuid
$$;
comment on function auth.uid() is 'Id of the signed-in user; null when there is none';

create or replace function auth.role() returns text
language sql stable parallel safe
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role',
        nullif(current_setting('request.jwt.claim.role', true), '')
    )
$$;
comment on function auth.role() is 'Role of the request: anon, authenticated or service_role';

create or replace function auth.email() returns text
language sql stable parallel safe
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email',
        nullif(current_setting('request.jwt.claim.email', true), '')
    )
$$;
comment on function auth.email() is 'E-mail address in the token; prefer auth.jwt() ->> ''email''';

create or replace function auth.jwt() returns jsonb
language sql stable parallel safe
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claims', true), ''),
        nullif(current_setting('request.jwt.claim', true), '')
    )::jsonb
$$;
comment on function auth.jwt() is 'All claims of the token';

grant execute on function auth.uid(), auth.role(), auth.email(), auth.jwt() to public;
