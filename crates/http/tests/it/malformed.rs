//! Malformed HTTP: one answer, a problem document, and the connection closes.

use crate::server::{plain, read_one, read_to_close};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn ambiguous_requests_get_one_answer_and_the_connection_closes() {
    let server = plain();
    let smuggled = "GET /ok HTTP/1.1\r\nHost: x\r\n\r\n";
    for bad in [
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 30\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\nContent-Length: 30\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0x10\r\n\r\n",
        "GET /ok HTTP/1.1\nHost: x\n\n",
        "GET /ok HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n",
        "GET /ok HTTP/1.1\r\nHost: x\r\n Host: y\r\n\r\n",
        "GET /ok HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
        "GET /ok HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET /ok HTTP/1.1\r\n\r\n",
        "GET  /ok HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /ok HTTP/1.1 \r\nHost: x\r\n\r\n",
        "GET ok HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /ok HTTP/2.0\r\nHost: x\r\n\r\n",
        "GET /ok\r\n\r\n",
        "{\"not\": \"http\"}\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\u{7f}\x03\x03",
    ] {
        let answers = server.raw(format!("{bad}{smuggled}")).await;
        assert_eq!(answers.len(), 1, "{bad:?} gave {answers:?}");
        let problem = answers[0].problem(400, "malformed_http");
        assert!(problem["detail"].is_string(), "{bad:?}");
        assert_eq!(answers[0].header("connection"), "close", "{bad:?}");
    }
    assert_eq!(server.metrics.in_flight(), 0);
}

#[tokio::test]
async fn a_character_that_must_be_encoded_is_named() {
    let server = plain();
    for (target, told) in [
        ("/o>k?a=b", "'>' in a URL must be written as %3E"),
        ("/<ok", "'<' in a URL must be written as %3C"),
        ("/ok?a=<#b", "'<' in a URL must be written as %3C"),
        ("ok", "The request target is not a path or a URL"),
    ] {
        let answers = server.raw(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert_eq!(answers[0].problem(400, "malformed_http")["detail"], told, "{target}");
    }
}

/// curl sends `->>` and quotation marks as they were typed; PostgREST's documentation is full of such lines.
#[tokio::test]
async fn a_query_as_curl_sends_it_is_read() {
    let server = plain();
    let typed = "/echo/x?select=meta->>color&a=in.(\"x\")&b=lt.<5";
    let spelled = "select=meta-%3E%3Ecolor&a=in.(%22x%22)&b=lt.%3C5";
    let get = format!("GET {typed} HTTP/1.1\r\nHost: x\r\n\r\n");
    let post = format!("POST {typed} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\na->>b");
    let plain = "GET /ok HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    let answers = server.raw(format!("{get}{plain}{post}{get}{last}")).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200; 5]);
    for at in [0, 2, 3] {
        assert_eq!(answers[at].json()["query"], spelled);
    }
    assert_eq!(answers[2].json()["body"], "a->>b", "a body is left alone");

    let mut stream = server.connect().await;
    for piece in post.as_bytes().chunks(7) {
        stream.write_all(piece).await.unwrap();
        stream.flush().await.unwrap();
    }
    let answer = read_one(&mut stream).await.unwrap();
    assert_eq!((answer.status, answer.json()["body"].as_str()), (200, Some("a->>b")));
    // It is as long as it is spelled.
    let long = format!("GET /echo/x?{} HTTP/1.1\r\nHost: x\r\n\r\n", ">".repeat(3000));
    server.raw(long).await[0].problem(414, "uri_too_long");
}

#[tokio::test]
async fn earlier_requests_are_answered_before_the_refusal() {
    let server = plain();
    let good = "GET /ok HTTP/1.1\r\nHost: x\r\n\r\n";
    let answers = server.raw(format!("{good}{good}GET /bad HTTP/1.1\nHost: x\n\n{good}")).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 400]);
    answers[2].problem(400, "malformed_http");

    // Also when it comes later, byte by byte.
    let mut stream = server.connect().await;
    stream.write_all(good.as_bytes()).await.unwrap();
    assert_eq!(read_one(&mut stream).await.unwrap().status, 200);
    for byte in b"GET /x\x01 HTTP/1.1\r\n" {
        // Refused half way: the rest need not arrive.
        if stream.write_all(&[*byte]).await.is_err() {
            break;
        }
    }
    read_to_close(&mut stream).await[0].problem(400, "malformed_http");
}

#[tokio::test]
async fn a_request_in_pieces_is_a_request() {
    let server = plain();
    let mut stream = server.connect().await;
    let request = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n\
                   POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nxyz";
    for piece in request.as_bytes().chunks(7) {
        stream.write_all(piece).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    let answers = read_to_close(&mut stream).await;
    let bodies: Vec<_> = answers.iter().map(|answer| answer.json()["body"].clone()).collect();
    assert_eq!(bodies, ["abcde", "xyz"]);
}

#[tokio::test]
async fn many_requests_in_one_packet_are_answered_in_order() {
    let server = plain();
    let mut all = String::new();
    for n in 0..200 {
        let last = if n == 199 { "Connection: close\r\n" } else { "" };
        all += &format!("GET /items/{n} HTTP/1.1\r\nHost: x\r\n{last}\r\n");
    }
    let answers = server.raw(all).await;
    let bodies: Vec<String> = answers.iter().map(|a| String::from_utf8_lossy(&a.body).into_owned()).collect();
    assert_eq!(bodies, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_broken_chunked_body_ends_the_connection() {
    let server = plain();
    let head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let smuggled = "GET /ok HTTP/1.1\r\nHost: x\r\n\r\n";
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloo\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nA: b\n\r\n",
    ] {
        let answers = server.raw(format!("{head}{body}{smuggled}")).await;
        assert_eq!(answers.len(), 1, "{body:?}: {answers:?}");
        answers[0].problem(400, "malformed_request");
    }
}

#[tokio::test]
async fn what_is_too_long_is_said_so_at_once() {
    let server = plain();
    let long = "x".repeat(1 << 20);
    let [answer] = &server.raw(format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n")).await[..] else {
        panic!()
    };
    answer.problem(414, "uri_too_long");
    let [answer] = &server.raw(format!("GET /ok HTTP/1.1\r\nHost: x\r\nA: {long}\r\n\r\n")).await[..] else {
        panic!()
    };
    answer.problem(431, "headers_too_large");
    let many = "a: b\r\n".repeat(100_000);
    let [answer] = &server.raw(format!("GET /ok HTTP/1.1\r\nHost: x\r\n{many}\r\n")).await[..] else {
        panic!()
    };
    answer.problem(431, "headers_too_large");
}

#[tokio::test]
async fn tls_on_the_plain_port_is_told_what_is_wrong() {
    let server = plain();
    let answers = server.raw(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03").await;
    let problem = answers[0].problem(400, "malformed_http");
    assert!(problem["detail"].as_str().unwrap().contains("TLS"), "{problem}");
}

#[tokio::test]
async fn http_1_0_is_served_and_closed() {
    let server = plain();
    let answers = server.raw("GET /ok HTTP/1.0\r\n\r\n").await;
    assert_eq!(answers[0].status, 200);
}
