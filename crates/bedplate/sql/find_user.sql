-- A user by e-mail address or id.
select id::text as id,
       email::text as email,
       coalesce(role, '')::text as role,
       coalesce(aud, '')::text as aud,
       coalesce(raw_app_meta_data, '{}')::text as app_metadata,
       coalesce(raw_user_meta_data, '{}')::text as user_metadata
  from auth.users
 where lower(email::text) = lower($1) or id::text = lower($1)
 limit 1
