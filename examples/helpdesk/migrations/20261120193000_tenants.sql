-- Two-tenant helpdesk: organizations, who belongs to them, and what is shown of a user.

create table public.organizations (
  id bigint generated always as identity primary key,
  name text not null check (char_length(name) between 1 and 80),
  slug text not null unique check (slug ~ '^[a-z0-9-]{2,40}$'),
  created_at timestamptz not null default now()
);
comment on table public.organizations is 'A customer of the helpdesk; every other row belongs to one.';

create table public.profiles (
  id uuid primary key references auth.users (id) on delete cascade,
  display_name text not null check (char_length(display_name) between 1 and 60)
);
comment on table public.profiles is 'What members of the same organization see of a user.';

create type public.member_role as enum ('agent', 'customer');

create table public.memberships (
  organization_id bigint not null references public.organizations (id) on delete cascade,
  user_id uuid not null references public.profiles (id) on delete cascade,
  role public.member_role not null default 'customer',
  primary key (organization_id, user_id)
);
create index memberships_user_id on public.memberships (user_id);

-- Helpers of the policies. Not in an API schema, so they are not served.
create schema app;
grant usage on schema app to authenticated;

-- SECURITY DEFINER so that policies can ask for memberships without the policy of memberships asking itself.
create function app.my_organizations() returns setof bigint
  language sql stable security definer set search_path = ''
  as $$ select m.organization_id from public.memberships m where m.user_id = auth.uid() $$;

create function app.my_agent_organizations() returns setof bigint
  language sql stable security definer set search_path = ''
  as $$ select m.organization_id from public.memberships m where m.user_id = auth.uid() and m.role = 'agent' $$;

revoke execute on function app.my_organizations(), app.my_agent_organizations() from public;
grant execute on function app.my_organizations(), app.my_agent_organizations() to authenticated;
