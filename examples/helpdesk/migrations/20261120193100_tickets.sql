create type public.ticket_status as enum ('open', 'pending', 'solved', 'closed');

create table public.tickets (
  id bigint generated always as identity primary key,
  organization_id bigint not null references public.organizations (id) on delete cascade,
  author_id uuid not null default auth.uid() references public.profiles (id),
  assignee_id uuid references public.profiles (id),
  title text not null check (char_length(title) between 1 and 120),
  body text not null default '',
  status public.ticket_status not null default 'open',
  priority smallint not null default 3 check (priority between 1 and 5),
  tags text[] not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column public.tickets.priority is '1 is most urgent, 5 least.';
create index tickets_organization_id on public.tickets (organization_id, id desc);
create index tickets_author_id on public.tickets (author_id);
create index tickets_assignee_id on public.tickets (assignee_id);

create table public.comments (
  id bigint generated always as identity primary key,
  ticket_id bigint not null references public.tickets (id) on delete cascade,
  author_id uuid not null default auth.uid() references public.profiles (id),
  body text not null check (char_length(body) between 1 and 5000),
  created_at timestamptz not null default now()
);
create index comments_ticket_id on public.comments (ticket_id, id);
create index comments_author_id on public.comments (author_id);

create table public.attachments (
  id uuid primary key default gen_random_uuid(),
  ticket_id bigint not null references public.tickets (id) on delete cascade,
  file_name text not null check (char_length(file_name) between 1 and 255),
  size_bytes bigint not null check (size_bytes >= 0),
  created_at timestamptz not null default now()
);
create index attachments_ticket_id on public.attachments (ticket_id);

create function app.touch() returns trigger language plpgsql set search_path = ''
  as $$ begin new.updated_at := now(); return new; end $$;
create trigger touch before update on public.tickets for each row execute function app.touch();
