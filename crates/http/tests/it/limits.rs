use std::sync::Arc;
use std::time::Duration;

use bedplate_http::{Access, App, Health, Response, Route, handler_fn, health_routes};
use http::{Method, Request, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

use crate::server::{config, echo, eventually, ok, read_to_close, start};

#[tokio::test]
async fn a_body_is_measured_and_not_believed() {
    let mut config = config();
    config.limits.body_bytes = 1000;
    let server = start(App::builder(config).mount(echo()));
    let fits = Box::leak("x".repeat(1000).into_boxed_str());
    assert_eq!(server.send(Request::post(server.url("/echo")), fits).await.json()["body"], *fits);

    // Announced: refused without reading. 10 GiB are never sent.
    let announced = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10737418240\r\n\r\n";
    server.raw(announced).await[0].problem(413, "body_too_large");
    // Not announced: refused at the limit, and the answer arrives although more is being sent.
    let mut stream = server.connect().await;
    stream.write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    let chunk = format!("200\r\n{}\r\n", "x".repeat(512));
    for _ in 0..100 {
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let answers = read_to_close(&mut stream).await;
    assert_eq!(answers.len(), 1);
    answers[0].problem(413, "body_too_large");
}

/// A client that asks first (`Expect: 100-continue`) is told before it sends.
#[tokio::test]
async fn who_asks_before_sending_is_told() {
    let mut config = config();
    config.limits.body_bytes = 10;
    let server = start(App::builder(config).mount(echo()));
    let ask = |length: usize| {
        format!(
            "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let answers = server.raw(ask(11)).await;
    assert_eq!(answers.len(), 1, "no 100 for a body that is not wanted");
    answers[0].problem(413, "body_too_large");
    let answers = server.raw(format!("{}0123456789", ask(10))).await;
    assert_eq!((answers[0].status, answers[1].status), (100, 200));
}

#[tokio::test]
async fn a_front_door_may_have_its_own_limits_and_dialect() {
    let echoed = handler_fn(|_, request: bedplate_http::Request| async move {
        Ok(Response::text(StatusCode::OK, request.body.collect().await?))
    });
    let mount = bedplate_http::Mount::new("/own", &["own"], Access::Public, echoed).body_limit(4).problems(
        |problem, occurrence| {
            let text = format!("{} {}", problem.code().name, occurrence.instance.unwrap_or_default());
            Response::text(StatusCode::from_u16(problem.status()).unwrap(), text)
        },
    );
    let never = handler_fn(|_, _| std::future::pending());
    let late = bedplate_http::Mount::new("/late", &["late"], Access::Public, never)
        .deadline(Duration::from_millis(1));
    let server = start(App::builder(config()).mount(mount).mount(late));
    assert_eq!(server.send(Request::post(server.url("/own")), "four").await.body, "four");
    let answer = server.send(Request::post(server.url("/own/a")), "fives").await;
    assert_eq!((answer.status, &answer.body[..]), (413, &b"body_too_large /own/a"[..]));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(server.get("/late").await.status, 504);
}

#[tokio::test]
async fn a_compressed_body_is_refused_by_name() {
    let server = start(App::builder(config()).mount(echo()));
    let request = Request::post(server.url("/echo")).header("content-encoding", "gzip");
    let answer = server.send(request, "not really").await;
    answer.problem(415, "unsupported_media_type");
    assert_eq!(answer.header("accept-encoding"), "identity");
}

#[tokio::test]
async fn too_many_at_once_are_shed_and_health_still_answers() {
    let mut config = config();
    config.limits.in_flight = 2;
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let wait = handler_fn(move |_, _| {
        let gate = Arc::clone(&held);
        async move {
            let _permit = gate.acquire().await;
            Ok(Response::empty(StatusCode::NO_CONTENT))
        }
    });
    let wait = Route::new(&[Method::GET], "/wait", "test.wait", Access::Public, wait);
    let builder = App::builder(config);
    let shutdown = bedplate_http::Shutdown::default();
    let health = Arc::new(Health::new(shutdown.clone()));
    let server = start(builder.routes([wait, ok()]).routes(health_routes(health)).shutdown(shutdown));
    let server = Arc::new(server);
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let server = Arc::clone(&server);
            tokio::spawn(async move { server.get("/wait").await.status })
        })
        .collect();
    eventually("two in flight", || server.metrics.in_flight() == 2).await;
    let answer = server.get("/ok").await;
    answer.problem(503, "overloaded");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(server.get("/health/live").await.status, 200);
    assert_eq!(server.get("/health/ready").await.status, 200);
    gate.add_permits(2);
    for task in waiting {
        assert_eq!(task.await.unwrap(), 204);
    }
    assert_eq!(server.get("/ok").await.status, 200);
}

#[tokio::test]
async fn a_late_handler_is_dropped_and_answered_for() {
    let mut config = config();
    config.timeouts.request = Duration::from_millis(50);
    let dropped = Arc::new(Semaphore::new(0));
    let tell = Arc::clone(&dropped);
    struct Tell(Arc<Semaphore>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.add_permits(1);
        }
    }
    let never = handler_fn(move |_, _| {
        let tell = Tell(Arc::clone(&tell));
        async move {
            let _tell = tell;
            std::future::pending::<()>().await;
            Ok(Response::empty(StatusCode::OK))
        }
    });
    let server = start(App::builder(config).routes([Route::new(
        &[Method::GET],
        "/never",
        "test.never",
        Access::Public,
        never,
    )]));
    server.get("/never").await.problem(504, "timeout");
    let _ = dropped.acquire().await.unwrap();
    // The same when the client hangs up.
    let mut stream = server.connect().await;
    stream.write_all(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    drop(stream);
    let gone = tokio::time::timeout(Duration::from_secs(5), dropped.acquire()).await;
    assert!(gone.is_ok());
    eventually("nothing in flight", || server.metrics.in_flight() == 0).await;
}

#[tokio::test]
async fn connections_leave_no_file_behind() {
    let server = start(App::builder(config()).routes([ok()]));
    let open = || server.metrics.connections();
    for round in 0..20 {
        let mut streams = Vec::new();
        for n in 0..25 {
            let mut stream = server.connect().await;
            match (round + n) % 4 {
                0 => stream.write_all(b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap(),
                1 => stream.write_all(b"GET /o").await.unwrap(),
                2 => stream.write_all(b"\0").await.unwrap(),
                _ => {}
            }
            streams.push(stream);
        }
        drop(streams);
    }
    eventually("all connections closed", || open() == 0).await;
    assert_eq!(server.get("/ok").await.status, 200);
}

#[tokio::test]
async fn more_connections_than_there_is_room_for_are_told_so() {
    let mut config = config();
    config.limits.connections = 16;
    let server = start(App::builder(config).routes([ok()]));
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(server.connect().await);
    }
    eventually("all are in", || server.metrics.connections() == 16).await;
    let answers = read_to_close(&mut server.connect().await).await;
    answers[0].problem(503, "overloaded");
    drop(held);
    eventually("all are out", || server.metrics.connections() == 0).await;
    assert_eq!(server.get("/ok").await.status, 200);
}
