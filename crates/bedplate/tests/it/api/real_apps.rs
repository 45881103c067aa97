//! What the schemas of public projects do that the example does not.

use serde_json::json;

use super::server::{ALICE, Server, user};

/// Members are made by a trigger after the group: until then nobody may read it, not even its maker.
const GROUPS: &str = "create table public.groups (id int generated always as identity primary key, name text not null); \
    create table public.group_members (group_id int references public.groups, user_id uuid, primary key (group_id, user_id)); \
    create function public.join_group() returns trigger language plpgsql security definer set search_path = '' as \
        $$ begin insert into public.group_members values (new.id, auth.uid()); return new; end $$; \
    create trigger join_group after insert on public.groups for each row execute function public.join_group(); \
    alter table public.groups enable row level security; \
    alter table public.group_members enable row level security; \
    create policy own on public.group_members for select to authenticated using (user_id = auth.uid()); \
    create policy make on public.groups for insert to authenticated with check (true); \
    create policy member on public.groups for select to authenticated \
        using (exists (select from public.group_members m where m.group_id = id));";

#[tokio::test]
async fn a_row_that_only_a_later_trigger_makes_readable_can_be_created() {
    let server = Server::start_with(|_| {}, GROUPS).await;
    let alice = user(ALICE);
    let refused = server.call("POST", "/api/v1/groups", Some(&alice), Some(json!({"name": "one"}))).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
    assert!(refused.json()["hint"].as_str().unwrap().contains("return=minimal"));
    let bearer = format!("Bearer {alice}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("prefer", "return=minimal"),
    ];
    let made = server.send("POST", "/api/v1/groups", &headers, br#"{"name":"two"}"#).await;
    assert_eq!((made.status, made.body.len()), (201, 0));
    let seen = server.get("/api/v1/groups?select=name", Some(&alice)).await.data();
    assert_eq!(seen, json!([{"name": "two"}]));
}

/// The function was written when the column was text; a later migration made it an enum.
const BROKEN: &str = "create type public.room_role as enum ('owner', 'guest'); \
    create table public.rooms (id int primary key, role public.room_role not null); \
    create table public.halls (id int primary key, tenant text); \
    insert into public.rooms values (1, 'owner'); insert into public.halls values (1, 'x'); \
    create function public.may_enter(roles text[]) returns boolean language plpgsql stable as \
        $$ begin return exists (select from public.rooms r where r.role = any(roles)); end $$; \
    alter table public.rooms enable row level security; \
    alter table public.halls enable row level security; \
    create policy enter on public.rooms to authenticated using (public.may_enter(array['owner'])); \
    create policy tenant on public.halls to authenticated using (tenant = current_setting('app.tenant'));";

#[tokio::test]
async fn a_fault_in_the_databases_own_code_is_not_a_missing_resource() {
    let server = Server::start_with(|_| {}, BROKEN).await;
    let alice = user(ALICE);
    for path in ["/api/v1/rooms", "/api/v1/rooms/1", "/api/v1/halls"] {
        let answer = server.get(path, Some(&alice)).await;
        assert_eq!((answer.status, answer.code().as_str()), (500, "database_code_failed"), "{path}");
        let told = answer.json().to_string();
        assert!(!told.contains("operator") && !told.contains("app.tenant"), "{told}");
    }
}
