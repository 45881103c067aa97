//! A-35 (security.md): who may keep answers. R-11 (reliability.md): what the servers share may go away at any time.

use std::time::{Duration, Instant};

use bedplate_testkit::Redis;
use tokio::process::Command;

use super::Answer;
use super::server::{ALICE, Server, user};

const ARTICLES: &str = "
    create table public.articles (id bigint primary key, title text not null);
    create table public.remarks (id bigint primary key, article_id bigint not null references public.articles);
    alter table public.articles enable row level security;
    alter table public.remarks enable row level security;
    create policy anybody on public.articles for select to anon, authenticated using (true);
    create policy anybody on public.remarks for select to anon, authenticated using (true);
    grant select on public.articles, public.remarks to anon, authenticated;
    insert into public.articles values (1, 'One'), (2, 'Two');";

async fn control(server: &Server, path: &str, token: Option<&str>) -> String {
    let answer = server.get(path, token).await;
    answer.headers["cache-control"].clone()
}

#[tokio::test]
async fn a35_nobody_keeps_an_answer_unless_a_policy_says_so() {
    let file = "[[cache.policies]]\nresource = \"articles\"\npublic = true\nmax_age = \"60s\"\n\
        stale_while_revalidate = \"30s\"\n[[cache.policies]]\nresource = \"public.tickets\"\n";
    let prepare = |command: &mut Command| {
        let dir = command.as_std().get_current_dir().unwrap().to_owned();
        let path = dir.join("bedplate.toml");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, format!("{text}\n{file}")).unwrap();
    };
    let server = Server::start_with(prepare, ARTICLES).await;
    let alice = user(ALICE);
    for path in ["/api/v1/articles", "/api/v1/articles/1", "/api/v1/articles?select=id&order=id.desc"] {
        let public = "public, max-age=60, stale-while-revalidate=30";
        assert_eq!(control(&server, path, None).await, public, "{path}");
        assert_eq!(control(&server, path, Some(&alice)).await, "private, max-age=60", "{path}");
        let first = server.get(path, None).await;
        let known = [("if-none-match", first.headers["etag"].as_str())];
        let unchanged = server.send("GET", path, &known, b"").await;
        assert_eq!((unchanged.status, unchanged.headers["cache-control"].as_str()), (304, public));
        assert!(unchanged.headers["vary"].contains("Authorization"));
    }
    assert_eq!(control(&server, "/api/v1/tickets?limit=1", Some(&alice)).await, "private, no-cache");
    // Other tables, other rules; and failures are never kept.
    for path in ["/api/v1/articles?select=id,remarks(id)", "/api/v1/remarks", "/api/v1/articles/9"] {
        assert_eq!(control(&server, path, None).await, "no-store", "{path}");
    }
    let written = server.call("DELETE", "/api/v1/tickets/999", Some(&alice), None).await;
    assert_eq!(written.headers["cache-control"], "no-store");
}

fn limited(redis: &Redis, requests: &str) -> impl FnOnce(&mut Command) {
    let sets = [
        format!("cache.redis_url={}", redis.url()),
        "cache.timeout=250ms".to_owned(),
        format!("rate_limit.address={requests}"),
    ];
    move |command| {
        for set in &sets {
            command.args(["--set", set]);
        }
    }
}

async fn burst(server: &Server, count: usize) -> Vec<Answer> {
    let asking = (0..count).map(|_| server.get("/api/v1/articles/1", None));
    futures_util::future::join_all(asking).await
}

fn allowed(answers: &[Answer]) -> usize {
    assert!(answers.iter().all(|answer| answer.status < 500), "R-11: no 5xx");
    answers.iter().filter(|answer| answer.status == 200).count()
}

async fn up(server: &Server) -> bool {
    let metrics = super::server::send(&server.admin, "GET", "/metrics", &[], b"").await;
    let text = String::from_utf8(metrics.body).unwrap();
    let line = text.lines().find(|line| line.starts_with("bedplate_cache_up")).expect("a gauge of the cache");
    line.ends_with(" 1") || line.ends_with(" 1.0")
}

async fn until_up(server: &Server, wanted: bool) {
    let begun = Instant::now();
    while up(server).await != wanted {
        assert!(begun.elapsed() < Duration::from_secs(30), "bedplate_cache_up is not {wanted} in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Two servers, one limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_with_one_redis_count_requests_together() {
    let redis = Redis::start();
    let one = Server::start_with(limited(&redis, "20/1h"), ARTICLES).await;
    let two = Server::start_with(limited(&redis, "20/1h"), ARTICLES).await;
    until_up(&one, true).await;
    until_up(&two, true).await;
    let (first, second) = tokio::join!(burst(&one, 20), burst(&two, 20));
    assert_eq!(allowed(&first) + allowed(&second), 20, "exactly what one server alone would let through");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_redis_that_is_paused_or_killed_fails_no_request_and_opens_no_limit() {
    let mut redis = Redis::start();
    let server = Server::start_with(limited(&redis, "30/1h"), ARTICLES).await;
    until_up(&server, true).await;
    assert_eq!(allowed(&burst(&server, 10).await), 10);
    redis.pause();
    let begun = Instant::now();
    // The first ones may wait for the limit of a call; nobody waits longer, and later ones do not wait.
    assert_eq!(allowed(&burst(&server, 10).await), 10);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    until_up(&server, false).await;
    let begun = Instant::now();
    assert_eq!(allowed(&burst(&server, 15).await), 10, "the server's own count holds");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    redis.resume();
    until_up(&server, true).await;
    assert_eq!(allowed(&burst(&server, 5).await), 0);
    redis.kill();
    assert_eq!(allowed(&burst(&server, 5).await), 0);
    until_up(&server, false).await;
    redis.start_again();
    until_up(&server, true).await;
    // What it held is gone; the server's own count is not.
    assert_eq!(allowed(&burst(&server, 5).await), 0);
}

#[tokio::test]
async fn a_server_starts_without_its_redis_and_refuses_an_address_that_is_none() {
    let nowhere = |command: &mut Command| {
        command.args(["--set", "cache.redis_url=redis://127.0.0.1:1"]);
    };
    let server = Server::start_with(nowhere, ARTICLES).await;
    assert_eq!(server.get("/api/v1/articles/1", None).await.status, 200);
    assert!(!up(&server).await);
    let out = Command::new(env!("CARGO_BIN_EXE_bedplate"))
        .args(["config", "show", "--set", "cache.redis_url=http://secret@host"])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && said.contains("cache.redis_url"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}
