-- Two organizations that must never see each other's rows.
insert into public.organizations (name, slug) values ('Acme Rockets', 'acme'), ('Bluebird Tea', 'bluebird');
