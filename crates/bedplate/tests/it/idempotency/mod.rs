//! Idempotency keys from outside (P-08; the promise of reliability.md §3.2 number 2): one effect and one answer, however often
//! and at whatever moment a request is repeated.

mod answers;
mod bounds;
mod faults;
mod policy;

use std::collections::BTreeMap;

use crate::api::Answer;
use crate::api::server::{Server, user};

/// Payments belong to who made them; each has a token that no two rows share, so that answers can be told apart.
const SQL: &str = "
    create table public.payments (
        id bigint generated always as identity primary key,
        owner uuid default auth.uid(),
        amount integer not null constraint payments_amount_check check (amount > 0),
        note text,
        token uuid not null default gen_random_uuid()
    );
    alter table public.payments enable row level security;
    create policy own on public.payments to authenticated
        using (owner = (select auth.uid())) with check (owner = (select auth.uid()));
    create policy visitors on public.payments for all to anon using (owner is null) with check (owner is null);
    create function public.pay(amount integer) returns setof public.payments language sql as
        $$ insert into public.payments (amount) values (amount) returning * $$;
    create function public.pay_alone(amount integer) returns integer language plpgsql
        set default_transaction_isolation = 'serializable' as
        $$ begin insert into public.payments (amount) values (amount); return amount; end $$;
    create sequence public.tries;
    grant usage on sequence public.tries to authenticated;
    create function public.pay_late(amount integer, failures integer, code text) returns integer language plpgsql as $$
    begin
        insert into public.payments (amount) values (amount);
        if nextval('public.tries') <= failures then
            raise exception using errcode = code, message = 'collided';
        end if;
        return amount;
    end $$;
    grant execute on function public.pay(integer), public.pay_alone(integer), public.pay_late(integer, integer, text)
        to authenticated;";

const PAYMENTS: &str = "/api/v1/payments";

async fn start() -> Server {
    Server::start_with(|_| {}, SQL).await
}

/// The headers of a request with a key.
fn headers<'h>(token: &'h str, key: &'h str) -> Vec<(&'h str, &'h str)> {
    vec![("authorization", token), ("idempotency-key", key), ("content-type", "application/json")]
}

fn bearer(subject: &str) -> String {
    format!("Bearer {}", user(subject))
}

/// How many payments there are, whoever made them.
async fn payments(server: &Server) -> i64 {
    count(server, "public.payments").await
}

async fn count(server: &Server, table: &str) -> i64 {
    let sql = format!("select count(*) from {table}");
    server.db.superuser().await.query_one(&sql, &[]).await.unwrap().get(0)
}

/// What is the same in an answer and its repetition: everything but what says so, and what belongs to the exchange.
fn essence(answer: &Answer) -> (u16, BTreeMap<String, String>, String) {
    let passing = ["idempotency-replayed", "x-request-id", "date", "server-timing", "connection"];
    let mut headers = answer.headers.clone();
    headers.retain(|name, _| !passing.contains(&name.as_str()) && !name.starts_with("ratelimit"));
    (answer.status, headers, String::from_utf8_lossy(&answer.body).into_owned())
}

fn is_replayed(answer: &Answer) -> bool {
    answer.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

/// Asserts a first answer and its repetition.
#[track_caller]
fn assert_repeats(first: &Answer, second: &Answer) {
    assert!(!is_replayed(first), "{:?}", essence(first));
    assert!(is_replayed(second), "{:?}", essence(second));
    assert_eq!(essence(first), essence(second));
}
