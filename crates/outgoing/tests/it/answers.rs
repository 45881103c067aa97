//! What is sent, and what is made of answers.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bedplate_outgoing::{Client, Config, Error, Limits, Request, Target};
use http::HeaderValue;
use http::header::{AUTHORIZATION, COOKIE};

use crate::server::{Names, Server, answer, client, ok};

fn get(server: &Server, path: &str) -> Request {
    Request::get("test", Target::configured(&server.url(path)).unwrap())
}

#[tokio::test]
async fn an_answer_comes_whole_and_the_connection_is_used_again() {
    let server = Server::start(|_, _| answer(201, "x-a: b\r\n", "hello")).await;
    let client = Client::default();
    for _ in 0..3 {
        let got = client.send(get(&server, "/a?b=c")).await.unwrap();
        assert_eq!(
            (got.status.as_u16(), &got.body[..], got.headers["x-a"].as_bytes()),
            (201, &b"hello"[..], &b"b"[..])
        );
    }
    assert_eq!(server.connections(), 1);
    let head = server.heads()[0].to_lowercase();
    assert!(
        head.starts_with("get /a?b=c http/1.1\r\n") && head.contains("accept-encoding: identity"),
        "{head}"
    );
    assert!(head.contains("user-agent: bedplate/") && !head.contains("traceparent"), "{head}");
}

#[tokio::test]
async fn b10_an_answer_that_is_too_large_is_cut_off_also_when_it_lies_about_its_length() {
    let said = Server::start(|_, _| answer(200, "", &"x".repeat(2000))).await;
    let chunked = Server::start(|_, _| {
        let mut bytes = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..100 {
            bytes.extend(b"64\r\n");
            bytes.extend([b'x'; 100]);
            bytes.extend(b"\r\n");
        }
        Some(bytes)
    })
    .await;
    let client = Client::default();
    let limits = Limits { bytes: 1000, ..Limits::default() };
    for server in [&said, &chunked] {
        let outcome = client.send(get(server, "/").limits(limits)).await.map(|_| ());
        assert_eq!(outcome, Err(Error::TooLarge { limit: 1000 }));
        assert_eq!(server.heads().len(), 1, "it is not asked again");
    }
}

#[tokio::test]
async fn b10_an_encoded_answer_is_not_unpacked() {
    let bomb = Server::start(|_, _| answer(200, "content-encoding: gzip\r\n", "not even gzip")).await;
    assert_eq!(Client::default().send(get(&bomb, "/")).await.map(|_| ()), Err(Error::Encoded));
}

#[tokio::test]
async fn b10_a_head_without_end_is_given_up() {
    let server = Server::start(|_, _| {
        let mut bytes = b"HTTP/1.1 200 X\r\n".to_vec();
        for n in 0..4000 {
            let _ = write!(bytes, "x-{n}: {}\r\n", "y".repeat(100));
        }
        Some(bytes)
    })
    .await;
    let outcome = Client::default().send(get(&server, "/")).await.map(|_| ());
    assert!(matches!(outcome, Err(Error::Broken(_))), "{outcome:?}");
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_host() {
    let second = Server::start(|_, _| ok("there")).await;
    let to = format!("http://b.test:{}/there", second.address.port());
    let first = Server::start(move |head, _| {
        let (status, location) = if head.contains("/start") { (302, "/step") } else { (307, to.as_str()) };
        answer(status, &format!("location: {location}\r\n"), "")
    })
    .await;
    let names = Names::default().with("b.test", &[&["127.0.0.1"]]);
    let client = client(Arc::new(names), &[format!("b.test:{}", second.address.port())]);
    let secret = |request: Request| {
        let value = HeaderValue::from_static("s3cret");
        request.header(AUTHORIZATION, value.clone()).header(COOKIE, value)
    };
    let got = client.send(secret(get(&first, "/start").redirects(2))).await.unwrap();
    assert_eq!(&got.body[..], b"there");
    assert!(first.heads()[1].contains("s3cret"), "the same host keeps them");
    assert!(!second.heads()[0].contains("s3cret"));
    let outcome = client.send(get(&first, "/start").redirects(1)).await.map(|_| ());
    assert_eq!(outcome, Err(Error::Redirect("there are too many in a row")));
    let post = Request::post("test", Target::configured(&first.url("/start")).unwrap(), "x").redirects(5);
    assert_eq!(client.send(post).await.unwrap().status, 302, "only reading follows");
}

#[tokio::test]
async fn a_streamed_answer_ends_by_silence_and_by_size_only() {
    let server = Server::start(|_, n| match n {
        0 => answer(200, "", &"x".repeat(100_000)),
        _ => Some(b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\nsome".to_vec()),
    })
    .await;
    let client = Client::default();
    let limits = Limits { total: Duration::ZERO, idle: Duration::from_millis(50), ..Limits::default() };
    let mut whole = client.stream(get(&server, "/").limits(limits)).await.unwrap();
    let mut bytes = 0;
    while let Some(piece) = whole.next().await.unwrap() {
        bytes += piece.len();
    }
    assert_eq!(bytes, 100_000);
    let mut stuck = client.stream(get(&server, "/").limits(limits)).await.unwrap();
    assert_eq!(&stuck.next().await.unwrap().unwrap()[..], b"some");
    assert!(matches!(stuck.next().await, Err(Error::Timeout { .. })));
}

mod tls {
    use rcgen::CertifiedKey;
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::TlsAcceptor;

    use super::*;

    async fn start(made: &CertifiedKey<rcgen::KeyPair>) -> u16 {
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut head = [0; 4096];
                    let _ = stream.read(&mut head).await;
                    let _ = stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\nok").await;
                });
            }
        });
        port
    }

    #[tokio::test]
    async fn a33_certificates_are_checked_against_name_and_authority() {
        let made = rcgen::generate_simple_self_signed(vec!["good.test".to_owned()]).unwrap();
        let port = start(&made).await;
        let names = || {
            Arc::new(
                Names::default().with("good.test", &[&["127.0.0.1"]]).with("bad.test", &[&["127.0.0.1"]]),
            )
        };
        let trusting = Client::new(Config {
            names: names(),
            authorities: vec![made.cert.der().clone()],
            ..Config::default()
        });
        let url = |host: &str| Target::configured(&format!("https://{host}:{port}/")).unwrap();
        assert_eq!(trusting.send(Request::get("test", url("good.test"))).await.unwrap().status, 200);
        let wrong_name = trusting.send(Request::get("test", url("bad.test"))).await.map(|_| ());
        assert!(matches!(wrong_name, Err(Error::Tls(_))), "{wrong_name:?}");
        let stranger = Client::new(Config { names: names(), ..Config::default() });
        let unknown = stranger.send(Request::get("test", url("good.test"))).await.map(|_| ());
        assert!(matches!(unknown, Err(Error::Tls(_))), "{unknown:?}");
    }
}
