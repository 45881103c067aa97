insert into public.notes (user_id, title, visibility) values
    ('00000000-0000-4000-8000-00000000000a', 'Everybody may read this', 'public'),
    ('00000000-0000-4000-8000-00000000000a', 'Nobody else may read this', 'private');
