drop table public.memberships;
drop type public.member_role;
drop table public.profiles;
drop table public.organizations;
drop schema app cascade;
