//! The smallest server: `cargo run --release -p bedplate-http --example hello -- 127.0.0.1:8080`. Good for
//! measuring what the pipeline itself costs.

use bedplate_http::{Access, App, Config, Listener, Response, Route, handler_fn};
use http::{Method, StatusCode};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned()).parse()?;
    let hello = handler_fn(|_, _| async { Ok(Response::json(StatusCode::OK, "{\"hello\":\"world\"}")) });
    let route = Route::new(&[Method::GET], "/hello", "hello", Access::Key, hello);
    let app = App::builder(Config::production()).routes([route]).build()?;
    let signals = app.shutdown().clone();
    let listener = Listener::bind(address, app)?;
    tokio::spawn(signals.follow_signals());
    listener.run().await;
    Ok(())
}
