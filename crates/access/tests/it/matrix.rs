//! The matrix as text, and its sum.

use bedplate_access::{coverage, matrix};

use super::World;

#[tokio::test]
async fn the_matrix_reads_well_and_is_stable() {
    let world = World::new(
        "create table public.tickets (id int primary key, title text, secret text);
         create table public.open (id int);
         create view public.titles with (security_invoker = true) as select title from public.tickets;
         alter table public.tickets enable row level security;
         create policy a on public.tickets using (true);
         grant select, delete on public.tickets to access_user;
         grant insert (id, title), update (title) on public.tickets to access_user;
         grant select on public.titles to access_user;
         grant all on public.open to access_anon, access_service;
         create function public.close(ticket int, note text default '') returns void language sql as '';
         create function public.nobody() returns void language sql as '';
         revoke execute on all functions in schema public from public;
         grant execute on function public.close to access_user;",
    )
    .await;
    let expected = "\
function public.close(integer, text)
  access_anon     -
  access_user     execute
  access_service  -
table public.open
  access_anon     -
  access_user     -
  access_service  select insert update delete
table public.tickets
  access_anon     -
  access_user     select insert(id, title) update(title) delete
  access_service  -
view public.titles
  access_anon     -
  access_user     select
  access_service  -
";
    assert_eq!(matrix(&world.rules, &world.catalog, &world.roles()).to_string(), expected);
    assert_eq!(coverage(&world.catalog).to_string(), "2 tables: 1 covered, 1 open");
}
