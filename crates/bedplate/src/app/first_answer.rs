//! Measures what the start-up line says: the time until the server really answered 200, over its own socket.

use std::net::SocketAddr;
use std::time::Duration;

use bedplate_core::Problem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const LIMIT: Duration = Duration::from_secs(10);

/// Asks `/health/ready` until it answers 200. An address of all interfaces is asked on loopback.
pub async fn wait(address: SocketAddr) -> Result<(), Problem> {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let asking = async {
        loop {
            if matches!(ask(address).await, Ok(true)) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, asking).await.map_err(|_| {
        Problem::internal_error(format!("the server at {address} did not answer /health/ready with 200"))
            .hint("run `bedplate doctor`")
    })
}

async fn ask(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    // Every listener answers to this name, whatever address it has.
    let request = b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    Ok(&head == b"HTTP/1.1 200")
}
