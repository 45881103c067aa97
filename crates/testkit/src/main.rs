//! `cargo run -p bedplate-testkit -- stop`: ends the shared test server and removes its data.

fn main() -> std::process::ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("stop") => {
            bedplate_testkit::Server::stop_shared();
            std::process::ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: bedplate-testkit stop");
            std::process::ExitCode::from(2)
        }
    }
}
