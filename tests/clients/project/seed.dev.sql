insert into auth.users (instance_id, id, aud, role, email, email_confirmed_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
select '00000000-0000-0000-0000-000000000000', u.id::uuid, 'authenticated', 'authenticated', u.email, now(), '{}', '{}', now(), now()
from (values
  ('a1a1a1a1-0000-4000-8000-000000000001', 'alice@example.com'),
  ('b2b2b2b2-0000-4000-8000-000000000001', 'bob@example.com')
) as u (id, email);

insert into public.authors (id, name, born, mentor_id) values
  (1, 'Ada', 1815, null), (2, 'Berta', 1843, 1), (3, 'Carl', null, 1);
alter table public.authors alter column id restart with 100;

insert into public.books (id, title, author_id, editor_id, price, pages, tags, details, shown, status, out_of_print) values
  (1, 'The Analytical Engine', 1, 2, 20.00, 300, '{maths,engines}', '{"cover": "hard", "prints": {"first": 1843}}', '[1,10)', 'here', false),
  (2, 'Engines and Roads', 2, 1, 12.50, 120, '{engines,roads}', '{"cover": "soft"}', '[5,20)', 'lent', false),
  (3, 'A Garden Year', 2, null, 8.00, null, '{gardens}', null, '[20,30)', 'here', true),
  (4, 'Peace, (mostly)', 3, 1, 30.00, 800, '{}', '{"cover": "hard"}', null, 'lost', null);
alter table public.books alter column id restart with 100;

insert into public.genres values (1, 'science'), (2, 'travel'), (3, 'unused');
insert into public.book_genres values (1, 1), (2, 1), (2, 2);

insert into public.shelves (id, owner, name, place, note) values
  (1, 'a1a1a1a1-0000-4000-8000-000000000001', 'Alice reads', 1, null),
  (2, 'b2b2b2b2-0000-4000-8000-000000000001', 'Bob reads', 1, 'hers? no');
alter table public.shelves alter column id restart with 100;

insert into public.drafts values (1, 'secret');
insert into archive.boxes values (1, 'maps'), (2, 'letters');
