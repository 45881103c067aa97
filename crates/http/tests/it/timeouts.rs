//! Many slow clients at once, on real sockets. How long each of them is waited for is tested beside the
//! connection, in a clock of its own; with real sockets such a clock would run ahead of the bytes.

use std::time::{Duration, Instant};

use bedplate_http::App;
use tokio::io::AsyncWriteExt;

use crate::server::{config, echo, ok, start};

/// Slowloris: hundreds of clients that begin and do not go on do not keep others waiting, and are gone soon.
#[tokio::test]
async fn slow_clients_do_not_keep_others_waiting() {
    let mut config = config();
    config.timeouts.head = Duration::from_millis(700);
    config.timeouts.body_gap = Duration::from_millis(700);
    let server = start(App::builder(config).routes([ok()]).mount(echo()));
    let mut slow = Vec::new();
    for n in 0..300 {
        let mut stream = server.connect().await;
        let begun: &[u8] = match n % 3 {
            0 => b"GET /ok HTTP/1.1\r\nHost: x\r\nA:",
            1 => b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx",
            _ => b"PRI * HTTP/2.0\r\n",
        };
        stream.write_all(begun).await.unwrap();
        slow.push(stream);
    }
    let begun = Instant::now();
    while server.metrics.connections() > 20 {
        assert_eq!(server.get("/ok").await.status, 200);
        assert!(begun.elapsed() < Duration::from_secs(10), "{} are still open", server.metrics.connections());
    }
    drop(slow);
}
