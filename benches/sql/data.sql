-- The same rows in every run.
select setseed(0.5);

insert into public.users (id, email, name, active, age, balance, score, profile, created_at)
select
    i, 'user' || i || '@example.com', 'User number ' || i, i % 50 <> 0, case when i % 7 = 0 then null else 18 + i % 60 end,
    (i * 37 % 100000) / 100.0, random() * 100,
    jsonb_build_object('city', 'City ' || i % 100, 'tags', jsonb_build_array('a' || i % 5, 'b')),
    timestamptz '2024-01-01 00:00:00+00' + i * interval '1 minute'
from generate_series(1, 10000) as i;

insert into public.posts (id, author_id, title, body, published, created_at)
select
    i, 1 + i * 7919 % 10000, 'A post with the number ' || i, rpad('Text of post ' || i || ' ', 300, 'lorem "ipsum" dolor '),
    i % 100 <> 0, timestamptz '2024-01-01 00:00:00+00' + i * interval '1 second'
from generate_series(1, 100000) as i;

select setval('public.users_id_seq', 10000), setval('public.posts_id_seq', 100000);
analyze public.users;
analyze public.posts;
