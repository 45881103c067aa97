insert into auth.users (id, email, raw_user_meta_data) values
    ('00000000-0000-4000-8000-00000000000a', 'ann@example.com', '{"name": "Ann"}');
