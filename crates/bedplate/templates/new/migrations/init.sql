-- The first table. Each user has todos of their own; policies/todos.sql says who may do what.

create table public.todos (
  id bigint generated always as identity primary key,
  owner_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  title text not null check (char_length(title) between 1 and 200),
  done boolean not null default false,
  created_at timestamptz not null default now()
);

comment on table public.todos is 'Things to do. A row belongs to one user.';

-- Policies compare the owner on every request.
create index todos_owner_id_idx on public.todos (owner_id, created_at);

-- Closed from the first moment: no row is visible before a policy says so.
alter table public.todos enable row level security;
