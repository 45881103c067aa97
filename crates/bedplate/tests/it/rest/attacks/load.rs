//! Requests that are meant to cost more than they should. Each is answered with little CPU of the server, whatever it says.

use std::time::Duration;

use serde_json::json;

use super::{Caller, start, start_with, text};
use crate::api::server::{Server, send};

/// What a request within the size limits may cost: 20 ms as it is shipped. A build for tests takes many times that.
const MOST: Duration = Duration::from_millis(if cfg!(debug_assertions) { 400 } else { 20 });

/// CPU that the server has used, in all its threads (proc(5), `schedstat`).
fn cpu(server: &Server) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.child.id().unwrap())).unwrap();
    let nanoseconds = tasks.filter_map(|task| {
        let stat = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Asks, and holds the answer against the bounds. The least of three, because the server has other things to do as well.
async fn bounded(
    caller: &Caller<'_>,
    request: (&str, &str, &[(&str, &str)], &str),
    statuses: std::ops::RangeInclusive<u16>,
) -> String {
    let (method, path, headers, body) = request;
    let shown: String = path.chars().take(60).collect();
    let mut least = Duration::MAX;
    let mut told = String::new();
    for _ in 0..3 {
        let before = cpu(caller.server);
        let answer = caller.send(method, path, headers, body).await;
        least = least.min(cpu(caller.server).saturating_sub(before));
        told = text(&answer);
        let begin: String = told.chars().take(300).collect();
        assert!(statuses.contains(&answer.status), "{method} {shown}: {} {begin}", answer.status);
        if least <= MOST {
            break;
        }
    }
    assert!(least <= MOST, "{method} {shown} took {least:?} of CPU");
    told
}

#[tokio::test]
async fn what_is_too_deep_or_too_long_is_refused_early() {
    let server = start().await;
    let alice = Caller::alice(&server);
    let refused = 400..=431;
    let million = "1,".repeat(1_000_000);
    for path in [
        format!("/tickets?id=in.({million}1)"),
        format!("/tickets?id=in.({}1)", "1,".repeat(3000)),
        format!("/tickets?select={}id{}", "comments(".repeat(700), ")".repeat(700)),
        format!("/tickets?select={}", "id,".repeat(2500)),
        format!("/tickets?or={}id.eq.1{}", "(and".repeat(1000), ")".repeat(1000)),
        format!("/tickets?or=({}id.eq.1)", "id.eq.1,".repeat(900)),
        format!("/tickets?order={}id", "id,".repeat(2500)),
        format!("/tickets?{}", "id=eq.1&".repeat(950)),
        format!("/tickets?{}.id=eq.1", "a.".repeat(3900)),
        format!(
            "/tickets?select=id,{}",
            (0..190).map(|n| format!("a{n}:comments(id)")).collect::<Vec<_>>().join(",")
        ),
        format!(
            "/tickets?select=id,{}",
            (0..300).map(|n| format!("...comments(a{n}:id)")).collect::<Vec<_>>().join(",")
        ),
        format!("/tickets?tags=cs.{}", "{".repeat(7000)),
        format!("/{}", "x".repeat(7900)),
        format!("/rpc/{}", "x".repeat(7900)),
    ] {
        bounded(&alice, ("GET", &path, &[], ""), refused.clone()).await;
    }
    for path in [
        format!("/tickets?select=id,title{}", "-%3Ea".repeat(1300)),
        format!("/tickets?{}", "not.".repeat(1900)),
        format!("/tickets?title=in.({}a)", "a,".repeat(999)),
        format!("/tickets?title=eq.{}", "x".repeat(7900)),
        format!("/tickets?title=like.{}", "*a".repeat(3900)),
        format!("/tickets?select={}", (0..190).map(|n| format!("a{n}:title")).collect::<Vec<_>>().join(",")),
        "/tickets?select=id,comments(id,tickets(id,comments(id,tickets(id,comments(id)))))&limit=1"
            .to_owned(),
        "/tickets?limit=9223372036854775807&offset=9223372036854775807".to_owned(),
        format!("/rpc/echo?{}", (0..1500).map(|n| format!("a{n}=")).collect::<Vec<_>>().join("&")),
        format!("/rpc/echo?{}", "value=&".repeat(1100)),
    ] {
        bounded(&alice, ("GET", &path, &[], ""), 200..=499).await;
    }
}

#[tokio::test]
async fn bodies_that_are_deep_wide_or_repetitive_are_cheap() {
    let server = start().await;
    let alice = Caller::alice(&server);
    let object = |keys: usize| {
        let members: Vec<String> = (0..keys).map(|n| format!("\"k{n}\":{n}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let names = |count: usize| (0..count).map(|n| format!("k{n}")).collect::<Vec<_>>().join(",");
    let wide = object(8_000);
    let form = (0..8_000).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join("&");
    let table = format!("{}\n{}", names(8_000), "1,".repeat(7_999) + "1");
    let rows = format!("[{}{{\"id\":1}}]", "{\"id\":1},".repeat(2_000));
    let columns = format!("/watched?columns={}", names(1_200));
    let arguments = format!("/rpc/echo?columns={}", names(1_200));
    let csv: &[(&str, &str)] = &[("content-type", "text/csv")];
    let urlencoded: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let deep_object = format!("{}1{}", "{\"a\":".repeat(20_000), "}".repeat(20_000));
    let repeated = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(8_000));
    let same = "value=1&".repeat(8_000);
    let quotes = format!("id\n{}", "\"\"".repeat(50_000));
    for (method, path, headers, body) in [
        ("POST", "/watched", &[][..], &wide),
        ("PATCH", "/watched?id=eq.1", &[], &wide),
        ("PUT", "/watched?id=eq.1", &[], &wide),
        ("POST", "/rpc/echo", &[], &wide),
        ("POST", &columns, &[], &wide),
        ("PATCH", &columns, &[("prefer", "missing=default")], &wide),
        ("POST", &arguments, &[], &wide),
        ("POST", "/watched", urlencoded, &form),
        ("POST", "/rpc/echo", urlencoded, &form),
        ("POST", "/rpc/echo", urlencoded, &same),
        ("POST", "/watched", csv, &table),
        ("POST", "/rpc/echo", csv, &table),
        ("POST", "/watched", csv, &quotes),
        ("POST", "/watched", &[], &deep),
        ("POST", "/rpc/echo", &[], &deep),
        ("POST", "/watched", &[], &deep_object),
        ("POST", "/watched", &[], &repeated),
        ("POST", "/watched", &[], &rows),
    ] {
        bounded(&alice, (method, path, headers, body), 200..=499).await;
    }
}

#[tokio::test]
async fn headers_with_thousands_of_words_are_cheap() {
    let server = start().await;
    let alice = Caller::alice(&server);
    let repeat = |word: &str| word.repeat(30_000 / word.len());
    for (name, value) in [
        ("prefer", repeat("a=b,")),
        ("prefer", format!("handling=strict,{}", repeat("return=nothing,"))),
        ("prefer", repeat("timezone=Asia/Tokyo,")),
        ("prefer", repeat(",")),
        ("accept", repeat("a/b,")),
        ("accept", repeat("text/csv;q=0,")),
        ("accept", repeat("application/vnd.pgrst.plan+json;for=\"a/b\",")),
        ("accept", repeat("a/b;a=b;c=d;q=0.001,")),
        ("accept", repeat("\"")),
        ("accept", repeat(";")),
        ("range", repeat("1")),
        ("range", "18446744073709551615-".to_owned()),
        ("range", "0-18446744073709551615".to_owned()),
        ("range", "18446744073709551615-18446744073709551615".to_owned()),
        ("accept-profile", repeat("x")),
        ("content-type", repeat("a/b;")),
        ("cookie", repeat("a=b; ")),
        ("x-many", repeat("x")),
    ] {
        for (method, path, body) in
            [("GET", "/tickets?limit=1", ""), ("POST", "/rpc/who", "{}"), ("GET", "/rpc/echo?value=x", "")]
        {
            bounded(&alice, (method, path, &[(name, &value)], body), 200..=499).await;
        }
    }
}

#[tokio::test]
async fn statements_that_do_not_end_are_ended() {
    let server = start_with(|command| {
        command.args(["--set", "database.statement_timeout_authenticated=300ms"]);
    })
    .await;
    let owner = server.db.connect("postgres").await;
    owner.batch_execute("insert into public.watched values (1, repeat('a', 60) || '!')").await.unwrap();
    let alice = Caller::alice(&server);
    let started = std::time::Instant::now();
    for path in [
        "/watched?v=match.^(((((a*)*)*)*)*)*$".to_owned(),
        format!("/watched?v=match.{}", "(".repeat(900) + &")*".repeat(900)),
        "/watched?v=match.(a{1,200}){1,200}b".to_owned(),
        "/watched?v=imatch(any).{\"(x+x+)+y\",\"(a|aa)+$\"}".to_owned(),
        format!("/watched?v=like.{}b", "*a".repeat(60)),
        "/watched?v=fts.!(!(!(!(!a))))".to_owned(),
    ] {
        let answer = alice
            .get(&path.replace('{', "%7B").replace('}', "%7D").replace('"', "%22").replace('^', "%5E"))
            .await;
        assert!(
            answer.status < 500 || answer.status == 504 || text(&answer).contains("57014"),
            "{path}: {} {}",
            answer.status,
            text(&answer)
        );
    }
    let nap = alice.post("/rpc/nap", &json!({"seconds": 20})).await;
    assert!(text(&nap).contains("57014"), "{}", text(&nap));
    assert!(started.elapsed() < Duration::from_secs(15), "each ended by its timeout");
    assert_eq!(alice.get("/tickets?limit=1").await.status, 200);
}

#[tokio::test]
async fn many_shapes_do_not_fill_the_memory() {
    let server = start().await;
    let service = Caller { server: &server, token: Some(crate::api::server::service()) };
    for n in 0..600 {
        let columns: Vec<String> = (0..95).map(|k| format!("{}{n}_{k}:title", "z".repeat(50))).collect();
        let answer = service.get(&format!("/tickets?limit=0&select={}", columns.join(","))).await;
        assert_eq!(answer.status, 200);
    }
    for n in 0..300 {
        let accept = format!("{}x/y{n}, application/json", "a/b, ".repeat(90));
        service.send("GET", "/tickets?limit=0", &[("accept", &accept)], "").await;
    }
    let metrics = send(&server.admin, "GET", "/metrics", &[], b"").await;
    let metrics = text(&metrics);
    let plans = metrics.lines().find_map(|line| line.strip_prefix("bedplate_plans_cached ")).unwrap();
    let plans: f64 = plans.parse().unwrap();
    assert!((1.0..600.0).contains(&plans), "{plans} of 900 large plans are kept");
}

#[tokio::test]
async fn a_description_of_many_tables_is_made_once() {
    let tables = "do $$ begin for n in 1..1000 loop
        execute format('create table public.many_%s (id int primary key, a text, b text, c text, d int)', n);
        execute format('alter table public.many_%s enable row level security', n);
        execute format('create policy p on public.many_%s using (true)', n);
        execute format('grant select on public.many_%s to authenticated', n);
      end loop; end $$;";
    let server = Server::start_with(|_| {}, &format!("{}{tables}", super::TRAPS)).await;
    let alice = Caller::alice(&server);
    let document = text(&alice.get("/").await);
    assert!(document.contains("/many_1000") && !document.contains("no_policy"));
    assert_eq!(bounded(&alice, ("GET", "/", &[], ""), 200..=200).await, document);
    // A mistake does not cost a comparison with each of them.
    bounded(&alice, ("GET", "/many_x", &[], ""), 404..=404).await;
    bounded(&alice, ("GET", "/tickets?select=id,many_1(*)", &[], ""), 400..=400).await;
    bounded(&alice, ("GET", "/rpc/many", &[], ""), 404..=404).await;
}
