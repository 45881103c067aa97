alter table public.tickets enable row level security;
revoke all on public.tickets from anon, authenticated;
grant select, delete on public.tickets to authenticated;
grant insert (organization_id, title, body, priority, tags) on public.tickets to authenticated;
grant update (title, body, status, priority, tags, assignee_id) on public.tickets to authenticated;

drop policy if exists "members see tickets" on public.tickets;
create policy "members see tickets" on public.tickets for select to authenticated
  using (organization_id in (select app.my_organizations()));

drop policy if exists "members open tickets" on public.tickets;
create policy "members open tickets" on public.tickets for insert to authenticated
  with check (author_id = (select auth.uid()) and organization_id in (select app.my_organizations()));

drop policy if exists "authors and agents edit tickets" on public.tickets;
create policy "authors and agents edit tickets" on public.tickets for update to authenticated
  using (author_id = (select auth.uid()) or organization_id in (select app.my_agent_organizations()))
  with check (
    organization_id in (select app.my_organizations())
    -- A foreign key only asks whether the user exists; the assignee must belong to the same organization.
    and (assignee_id is null or exists (
      select from public.memberships m where m.organization_id = tickets.organization_id and m.user_id = assignee_id))
  );

drop policy if exists "agents delete tickets" on public.tickets;
create policy "agents delete tickets" on public.tickets for delete to authenticated
  using (organization_id in (select app.my_agent_organizations()));

alter table public.comments enable row level security;
revoke all on public.comments from anon, authenticated;
grant select on public.comments to authenticated;
grant insert (ticket_id, body) on public.comments to authenticated;

drop policy if exists "members see comments" on public.comments;
create policy "members see comments" on public.comments for select to authenticated
  using (exists (select from public.tickets t where t.id = comments.ticket_id));

drop policy if exists "members comment" on public.comments;
create policy "members comment" on public.comments for insert to authenticated
  with check (author_id = (select auth.uid()) and exists (select from public.tickets t where t.id = comments.ticket_id));

alter table public.attachments enable row level security;
revoke all on public.attachments from anon, authenticated;
grant select on public.attachments to authenticated;

drop policy if exists "members see attachments" on public.attachments;
create policy "members see attachments" on public.attachments for select to authenticated
  using (exists (select from public.tickets t where t.id = attachments.ticket_id));

-- A function is served to a role that was granted it on purpose; PUBLIC's default does not count.
revoke execute on function public.ticket_counts(bigint) from public, anon;
grant execute on function public.ticket_counts(bigint) to authenticated;
