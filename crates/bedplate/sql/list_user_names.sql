-- A few users, to choose from.
select coalesce(email::text, id::text) as name from auth.users order by created_at nulls last, 1 limit 10
