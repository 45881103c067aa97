-- Users to sign in as while developing: `bedplate token --as alice@acme.example`. They have no password.
insert into auth.users (instance_id, id, aud, role, email, email_confirmed_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
select '00000000-0000-0000-0000-000000000000', u.id::uuid, 'authenticated', 'authenticated', u.email, now(),
       '{"provider":"email","providers":["email"]}', jsonb_build_object('name', u.name), now(), now()
from (values
  ('a1a1a1a1-0000-4000-8000-000000000001', 'alice@acme.example', 'Alice'),
  ('a1a1a1a1-0000-4000-8000-000000000002', 'adam@acme.example', 'Adam'),
  ('b2b2b2b2-0000-4000-8000-000000000001', 'bob@bluebird.example', 'Bob'),
  ('b2b2b2b2-0000-4000-8000-000000000002', 'bea@bluebird.example', 'Bea')
) as u (id, email, name);

insert into public.profiles (id, display_name)
select id, raw_user_meta_data ->> 'name' from auth.users;

insert into public.memberships (organization_id, user_id, role)
select o.id, u.id, case when u.email in ('alice@acme.example', 'bob@bluebird.example') then 'agent' else 'customer' end::public.member_role
from auth.users u join public.organizations o on u.email like '%@' || o.slug || '.example'
order by u.id;

insert into public.tickets (organization_id, author_id, assignee_id, title, body, status, priority, tags, created_at)
select m.organization_id, m.user_id,
       case when n % 3 = 0 then (select a.user_id from public.memberships a where a.organization_id = m.organization_id and a.role = 'agent') end,
       (array['Printer is on fire', 'Cannot sign in', 'Invoice is wrong', 'Kettle will not boil', 'Feature request'])[1 + n % 5] || ' (' || n || ')',
       'Reported by phone, call back in the morning.',
       (array['open', 'open', 'pending', 'solved'])[1 + n % 4]::public.ticket_status,
       1 + n % 5, case when n % 2 = 0 then array['phone'] else '{}' end,
       timestamptz '2026-11-01 09:00+00' + n * interval '3 hours'
from public.memberships m cross join generate_series(1, 10) n
order by n, m.user_id;

insert into public.comments (ticket_id, author_id, body)
select t.id, t.author_id, 'Any news on this?' from public.tickets t where t.id % 2 = 0
order by t.id;

insert into public.attachments (ticket_id, file_name, size_bytes)
select t.id, 'photo-' || t.id || '.jpg', 120000 + t.id from public.tickets t where t.id % 5 = 0;
