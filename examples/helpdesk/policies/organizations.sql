-- Files in this folder are run again, in one transaction, whenever one of them changes: write them so that they can be.

alter table public.organizations enable row level security;
revoke all on public.organizations from anon, authenticated;
grant select on public.organizations to authenticated;

drop policy if exists "members see their organizations" on public.organizations;
create policy "members see their organizations" on public.organizations for select to authenticated
  using (id in (select app.my_organizations()));

alter table public.memberships enable row level security;
revoke all on public.memberships from anon, authenticated;
grant select on public.memberships to authenticated;

drop policy if exists "members see each other's memberships" on public.memberships;
create policy "members see each other's memberships" on public.memberships for select to authenticated
  using (organization_id in (select app.my_organizations()));

alter table public.profiles enable row level security;
revoke all on public.profiles from anon, authenticated;
grant select on public.profiles to authenticated;
grant update (display_name) on public.profiles to authenticated;

drop policy if exists "members see each other" on public.profiles;
create policy "members see each other" on public.profiles for select to authenticated
  using (id = (select auth.uid()) or exists (select from public.memberships m where m.user_id = profiles.id));

drop policy if exists "users change their own profile" on public.profiles;
create policy "users change their own profile" on public.profiles for update to authenticated
  using (id = (select auth.uid())) with check (id = (select auth.uid()));
