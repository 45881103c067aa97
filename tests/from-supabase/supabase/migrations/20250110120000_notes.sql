create extension if not exists "pgcrypto" with schema "extensions";

create type "public"."visibility" as enum ('private', 'team', 'public');

create table "public"."profiles" (
    "id" uuid not null references auth.users (id) on delete cascade,
    "display_name" text not null,
    "updated_at" timestamp with time zone default now(),
    primary key ("id")
);
alter table "public"."profiles" enable row level security;
create policy "Profiles are visible to everyone" on "public"."profiles" as permissive for select to public using (true);
create policy "Users change their own profile" on "public"."profiles" for update to authenticated
    using ((auth.uid() = id)) with check ((auth.uid() = id));

create table "public"."notes" (
    "id" bigint generated always as identity primary key,
    "user_id" uuid not null default auth.uid() references public.profiles (id),
    "title" text not null,
    "body" text,
    "visibility" public.visibility not null default 'private',
    "inserted_at" timestamp with time zone not null default timezone('utc'::text, now())
);
alter table "public"."notes" enable row level security;
create policy "Public notes are visible" on "public"."notes" for select to anon, authenticated
    using (visibility = 'public');
create policy "Owners do anything" on "public"."notes" for all to authenticated
    using (auth.uid() = user_id) with check (auth.uid() = user_id);

-- Nobody thought of row-level security here.
create table "public"."settings" ("name" text primary key, "value" text);

-- As Supabase's guide has it: a profile for each new user.
create function public.handle_new_user() returns trigger language plpgsql security definer set search_path = '' as $$
begin
    insert into public.profiles (id, display_name) values (new.id, coalesce(new.raw_user_meta_data ->> 'name', 'Somebody'));
    return new;
end;
$$;
create trigger on_auth_user_created after insert on auth.users for each row execute procedure public.handle_new_user();
