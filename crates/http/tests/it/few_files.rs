//! Running out of file descriptors. The limit is the process's, so this test runs itself again in a child.

use std::process::Command;
use std::time::Duration;

use bedplate_http::App;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::server::{config, eventually, ok, read_one, start};

#[test]
fn accepting_goes_on_after_the_files_ran_out() {
    let this = std::env::current_exe().unwrap();
    let script = "ulimit -n 160 && exec \"$0\" --exact few_files::with_few_files --ignored --nocapture";
    let output = Command::new("sh").arg("-c").arg(script).arg(this).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
#[ignore = "run by accepting_goes_on_after_the_files_ran_out, in a process with few files"]
async fn with_few_files() {
    let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let server = start(App::builder(config()).routes([ok()]));
    let before = files();
    for _ in 0..3 {
        // Clients are in this process too: open until the files are gone, so that accept cannot have any.
        let mut clients = Vec::new();
        while let Ok(client) = TcpStream::connect(server.address).await {
            clients.push(client);
            if clients.len() > 40 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        assert!(clients.len() > 20);
        drop(clients);
        eventually("all are closed", || files() <= before + 1).await;
        let mut stream = server.connect().await;
        stream.write_all(b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert_eq!(read_one(&mut stream).await.unwrap().status, 200);
    }
    let text = server.metrics.render();
    let errors =
        text.lines().find_map(|line| line.strip_prefix("bedplate_http_accept_errors_total ")).unwrap();
    let refused = text
        .lines()
        .find_map(|line| line.strip_prefix("bedplate_http_connections_refused_total{limit=\"listener\"} "))
        .unwrap();
    assert!(errors != "0" || refused != "0", "neither ran out nor refused");
}
