-- Who may do what with todos. This file is applied after the migrations, whenever it changes.

-- Start from nothing, so that a removed line here is a removed right there.
revoke all on public.todos from anon, authenticated;

grant select, delete on public.todos to authenticated;
-- Only these columns may be written: the owner is filled in from the signed-in user.
grant insert (title, done), update (title, done) on public.todos to authenticated;
grant all on public.todos to service_role;

drop policy if exists "owners read their todos" on public.todos;
create policy "owners read their todos" on public.todos
  for select to authenticated
  using (owner_id = (select auth.uid()));

drop policy if exists "owners add todos" on public.todos;
create policy "owners add todos" on public.todos
  for insert to authenticated
  with check (owner_id = (select auth.uid()));

drop policy if exists "owners change their todos" on public.todos;
create policy "owners change their todos" on public.todos
  for update to authenticated
  using (owner_id = (select auth.uid()))
  with check (owner_id = (select auth.uid()));

drop policy if exists "owners delete their todos" on public.todos;
create policy "owners delete their todos" on public.todos
  for delete to authenticated
  using (owner_id = (select auth.uid()));
