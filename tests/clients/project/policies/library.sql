-- The catalogue is everybody's to read.
do $$
declare name text;
begin
  foreach name in array array['public.authors', 'public.books', 'public.genres', 'public.book_genres', 'archive.boxes'] loop
    execute format('alter table %s enable row level security', name);
    execute format('revoke all on %s from anon, authenticated', name);
    execute format('grant select on %s to anon, authenticated', name);
    execute format('drop policy if exists "anyone reads" on %s', name);
    execute format('create policy "anyone reads" on %s for select to anon, authenticated using (true)', name);
  end loop;
end $$;
grant all on archive.boxes to service_role;

-- Shelves are their owner's.
alter table public.shelves enable row level security;
revoke all on public.shelves from anon, authenticated;
grant select, insert, update, delete on public.shelves to authenticated;
drop policy if exists "owners" on public.shelves;
create policy "owners" on public.shelves to authenticated
  using (owner = (select auth.uid())) with check (owner = (select auth.uid()));

revoke execute on all functions in schema public, archive from public;
grant execute on all functions in schema public, archive to authenticated, service_role;
grant execute on function public.add, public.total, public.books_by, public.shout, public.nothing, public.teapot to anon;
