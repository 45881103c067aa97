create schema if not exists reports;
grant usage on schema reports to anon, authenticated, service_role;
create table reports.totals (day date primary key, notes int not null);
alter table reports.totals enable row level security;
create policy "Totals are open" on reports.totals for select to anon, authenticated using (true);
grant select on reports.totals to anon, authenticated;
