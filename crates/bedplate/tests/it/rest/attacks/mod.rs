//! `/rest/v1` as its attackers see it, in the mode that is the default: only what is protected is served.

mod context;
mod hidden;
mod injection;
mod load;
mod oracles;
mod roles;

use serde_json::Value;

use crate::api::Answer;
use crate::api::server::{ALICE, BOB, Server, user};

/// What must not be served, or not be known of, beside the helpdesk.
const TRAPS: &str = "
    create table public.open_table (id int primary key, v text);
    create table public.no_policy (id int primary key, v text);
    alter table public.no_policy enable row level security;
    create view public.definer_view as select * from public.tickets;
    create materialized view public.stored_view as select id, title from public.tickets;
    create schema internal;
    grant usage on schema internal to anon, authenticated;
    create table internal.wyvern (id int primary key);
    alter table internal.wyvern enable row level security;
    create policy p on internal.wyvern using (true);
    create table public.parted (id int primary key, v text) partition by list (id);
    create table public.parted_one partition of public.parted for values in (1);
    alter table public.parted enable row level security;
    create policy p on public.parted using (true);
    grant select on public.open_table, public.no_policy, public.definer_view, public.stored_view, public.parted,
      public.parted_one, internal.wyvern to anon, authenticated;
    create function public.by_default() returns int language sql as 'select 1';
    create function public.definer() returns bigint language sql security definer set search_path = ''
      as 'select count(*) from public.tickets';
    revoke execute on function public.definer() from public;
    grant execute on function public.definer() to authenticated;

    create table public.vault (
      id int primary key, shown text, shadow_id int references public.no_policy,
      hidden text constraint vault_hidden_key unique, doc jsonb default '{}'
    );
    insert into public.vault values (1, 'shown', null, 'hidden', '{\"a\": 1}'), (2, 'also', null, 'more', '{}');
    alter table public.vault enable row level security;
    create policy p on public.vault using (true) with check (true);
    revoke all on public.vault from anon, authenticated;
    grant select (id, shown, doc), insert (id, shown, shadow_id), update (shown), delete on public.vault to authenticated;
    create table public.keyring (id int primary key, vault_id int references public.vault);
    insert into public.keyring values (1, 1), (2, 2);
    alter table public.keyring enable row level security;
    create policy p on public.keyring using (true);
    create function public.whole(public.vault) returns text language sql stable as 'select $1.hidden';
    grant execute on function public.whole(public.vault) to authenticated;
    create function public.ungranted(public.tickets) returns text language sql stable as 'select $1.title';
    create function public.leak(public.tickets) returns setof public.no_policy rows 1 language sql stable
      as 'select * from public.no_policy';
    grant execute on function public.leak(public.tickets) to authenticated;

    create domain public.\"application/x-leak\" as text;
    create function app.gather(state text, item public.tickets) returns public.\"application/x-leak\"
      language sql security definer set search_path = ''
      as $$ select (coalesce(state, '') || (select count(*) from public.no_policy)::text)::public.\"application/x-leak\" $$;
    create aggregate public.leaking(public.tickets) (sfunc = app.gather, stype = public.\"application/x-leak\");

    create table public.trail (id int generated always as identity, note text, secret_column text not null);
    create table public.watched (id int primary key, v text);
    alter table public.watched enable row level security;
    create policy p on public.watched using (true) with check (true);
    create function app.watch() returns trigger language plpgsql security definer set search_path = '' as $$
      begin
        if new.v = 'fail' then insert into public.trail (note) values ('of another tenant'); end if;
        if new.v = 'say' then raise insufficient_privilege using message = 'only on Mondays'; end if;
        return new;
      end $$;
    create function app.touch_shadow() returns trigger language plpgsql as $$
      begin
        if new.v = 'invoker' then insert into public.no_policy values (new.id, 'x'); end if;
        if new.v = 'denied' then perform secret_column from public.trail; end if;
        return new;
      end $$;
    revoke all on public.trail from anon, authenticated;
    grant select, insert on public.no_policy to authenticated;
    create trigger watch before insert on public.watched for each row execute function app.watch();
    create trigger shadow before insert on public.watched for each row execute function app.touch_shadow();

    create table public.names (id int primary key, tenant uuid default auth.uid(), name text unique);
    alter table public.names enable row level security;
    create policy p on public.names using (tenant = auth.uid()) with check (tenant = auth.uid());
    insert into public.names select n, 'b2b2b2b2-0000-4000-8000-000000000001', 'of bob ' || n
      from generate_series(1, 500) n;
    insert into public.names values (1001, 'a1a1a1a1-0000-4000-8000-000000000001', 'of alice');
    grant select, insert, update, delete on public.names to authenticated;
    analyze public.names;

    create function public.setting(name text) returns text language sql volatile
      as $$ select current_setting(name, true) $$;
    create function public.who() returns text language sql volatile as $$ select current_user::text $$;
    create function public.speak(kind text, value text, for_all boolean) returns int language sql volatile
      as $$ select length(set_config('response.' || kind, value, not for_all)) $$;
    create function public.echo(value text) returns text language sql immutable as 'select value';
    create function public.nap(seconds float) returns void language sql volatile as 'select pg_sleep(seconds)';
    create function public.boom() returns void language plpgsql volatile as
      $$ begin perform set_config('app.mark', 'left behind', true); raise 'boom'; end $$;
    grant execute on function public.setting(text), public.who(), public.speak(text, text, boolean), public.echo(text),
      public.nap(float), public.boom() to anon, authenticated, service_role;
";

async fn start() -> Server {
    start_with(|_| {}).await
}

async fn start_with(prepare: impl FnOnce(&mut tokio::process::Command)) -> Server {
    Server::start_with(prepare, TRAPS).await
}

/// A caller with a token (or none), headers for all its requests, and the address.
struct Caller<'s> {
    server: &'s Server,
    token: Option<String>,
}

impl<'s> Caller<'s> {
    fn alice(server: &'s Server) -> Self {
        Self { server, token: Some(user(ALICE)) }
    }

    fn bob(server: &'s Server) -> Self {
        Self { server, token: Some(user(BOB)) }
    }

    fn nobody(server: &'s Server) -> Self {
        Self { server, token: None }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], &body.to_string()).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send_bytes(method, path, headers, body.as_bytes()).await
    }

    async fn send_bytes(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut all: Vec<(&str, &str)> = headers.to_vec();
        all.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            all.push(("content-type", "application/json"));
        }
        self.server.send(method, &format!("/rest/v1{path}"), &all, body).await
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

fn code(answer: &Answer) -> String {
    answer.json()["code"].as_str().unwrap_or_default().to_owned()
}

/// Everything that a caller can tell two answers apart by, with one name put in place of another.
fn observable(answer: &Answer, name: &str, stand_in: &str) -> (u16, Vec<(String, String)>, String) {
    const VARYING: [&str; 4] = ["date", "x-request-id", "server-timing", "content-length"];
    let swap = |text: &str| text.replace(name, stand_in);
    let headers = answer.headers.iter().filter(|(name, _)| !VARYING.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.clone(), swap(value))).collect();
    (answer.status, headers, swap(&text(answer)))
}
