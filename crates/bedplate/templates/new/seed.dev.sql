-- Data for development only: two users and their todos. Run once, on a new database.

insert into auth.users (id, aud, role, email) values
  ('00000000-0000-4000-8000-00000000000a', 'authenticated', 'authenticated', 'alice@example.com'),
  ('00000000-0000-4000-8000-00000000000b', 'authenticated', 'authenticated', 'bob@example.com')
on conflict (id) do nothing;

insert into public.todos (owner_id, title, done) values
  ('00000000-0000-4000-8000-00000000000a', 'Read the migration in migrations/', true),
  ('00000000-0000-4000-8000-00000000000a', 'Change policies/todos.sql and save it', false),
  ('00000000-0000-4000-8000-00000000000b', 'Only Bob sees this', false);
