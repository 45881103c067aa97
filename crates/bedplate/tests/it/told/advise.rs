//! `bedplate advise`, with a running server and without.

use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use super::program::Program;
use crate::api::server::{ALICE, keys, user};

const SQL: &str = "
    create table public.parcels (id int primary key, kind text not null, weight int not null);
    create table public.stops (id int primary key, parcel_id int references public.parcels, served_id int references public.parcels);
    create index on public.stops (served_id);
    insert into public.parcels select n, 'k' || n % 50, n from generate_series(1, 5000) n;
    alter table public.parcels enable row level security;
    create policy everybody on public.parcels for select to authenticated using (true);
    grant select on public.parcels to authenticated;
    analyze public.parcels;
";

async fn advise(program: &Program, arguments: &[&str]) -> Output {
    let out = Command::new(env!("CARGO_BIN_EXE_bedplate"))
        .arg("advise")
        .args(arguments)
        .env("DATABASE_URL", program.db.url("postgres"))
        .envs(keys())
        .env("BEDPLATE_DATABASE__API_URL", program.db.url("authenticator"))
        .current_dir(program.folder())
        .output();
    out.await.unwrap()
}

fn json(out: &Output) -> Value {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

fn find(list: &Value, wanted: impl Fn(&Value) -> bool) -> &Value {
    list.as_array().unwrap().iter().find(|item| wanted(item)).unwrap_or_else(|| panic!("not in {list}"))
}

#[tokio::test]
async fn costs_loops_and_missing_indexes_are_named() {
    let program = Program::start(&[], SQL).await;
    let bearer = format!("Bearer {}", user(ALICE));
    let get = async |path: &str| {
        let answer = program.send("GET", path, &[("authorization", &bearer)], b"").await;
        assert_eq!(answer.status, 200, "{path} {}", String::from_utf8_lossy(&answer.body));
    };
    for kind in ["k1", "k2", "k3"] {
        get(&format!("/api/v1/parcels?kind=eq.{kind}&weight=gt.10")).await;
    }
    // A list, and then each of its rows by itself: until that was within a second.
    let url = format!("http://{}", program.admin);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let advice = loop {
        for id in 1..=40 {
            get(&format!("/api/v1/parcels/{id}")).await;
        }
        let advice = json(&advise(&program, &["--json", "--server", &url]).await);
        if advice["statements"]["suspected_loops"].as_array().is_some_and(|found| !found.is_empty()) {
            break advice;
        }
        assert!(std::time::Instant::now() < until, "{advice}");
    };
    let statements = &advice["statements"];
    let looped = &statements["suspected_loops"][0];
    assert_eq!((&looped["operation"], &looped["target"]), (&"read".into(), &"parcels".into()));
    assert!(looped["most_per_second"].as_u64().unwrap() >= 10);
    let frequent = &statements["most_frequent"][0];
    assert!(frequent["calls"].as_u64().unwrap() >= 40 && frequent["rows"] == frequent["calls"], "{frequent}");
    assert!(frequent["p50"].as_u64() <= frequent["p99"].as_u64() && frequent["p50"].as_u64().unwrap() > 0);
    let by_kind = find(&statements["slowest"], |shape| shape["filters"][0] == "kind");
    assert_eq!((&by_kind["calls"], &by_kind["rows"]), (&3.into(), &60.into()), "{by_kind}");
    assert!(!by_kind["sql"].as_str().unwrap().contains("k1"), "no values: {by_kind}");

    let missing = &advice["missing_indexes"];
    let filter = find(missing, |index| index["reason"] == "filter");
    assert_eq!(filter["sql"], r#"create index on "public"."parcels" ("kind", "weight");"#);
    let key = find(missing, |index| index["table"] == "public.stops");
    assert_eq!((&key["reason"], &key["columns"]), (&"foreign_key".into(), &serde_json::json!(["parcel_id"])));
    let others = missing.as_array().unwrap().iter().filter(|index| index["table"] == "public.stops").count();
    assert_eq!(others, 1, "the other key has its index: {missing}");

    // What is advised is SQL, and then there is nothing more to advise.
    let owner = program.db.connect("postgres").await;
    for index in missing.as_array().unwrap() {
        owner.batch_execute(index["sql"].as_str().unwrap()).await.unwrap();
    }
    let after = json(&advise(&program, &["--json", "--server", &url]).await);
    assert_eq!(after["missing_indexes"], serde_json::json!([]));
    let text = advise(&program, &["--text", "--server", &url]).await;
    let text = String::from_utf8(text.stdout).unwrap();
    for part in ["Slowest", "Most frequent", "loop over rows", "read parcels by kind, weight", "none found"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    program.stop().await;
}

#[tokio::test]
async fn without_a_server_the_tables_are_looked_at_all_the_same() {
    let program = Program::start(&[], SQL).await;
    let nowhere = ["--set", "server.admin_port=9"];
    let advice = json(&advise(&program, &[&["--json"][..], &nowhere].concat()).await);
    assert!(advice["statements"]["unavailable"].is_string(), "{advice}");
    find(&advice["missing_indexes"], |index| index["table"] == "public.stops");
    let text = advise(&program, &[&["--text"][..], &nowhere].concat()).await;
    assert!(String::from_utf8(text.stdout).unwrap().contains("create index on"));
    // A server that was named has to be there.
    let named = advise(&program, &["--json", "--server", "http://127.0.0.1:9"]).await;
    assert!(!named.status.success());
    assert!(String::from_utf8(named.stderr).unwrap().contains("no_statistics"));
    // Statistics are for the admin listener only.
    assert_eq!(program.send("GET", "/statistics", &[], b"").await.status, 404);
    program.stop().await;
}
