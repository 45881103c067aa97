//! Killed processes: ours, the server's, both.

use std::process::Command;
use std::time::{Duration, Instant};

use bedplate_cluster::{Cluster, Error, Event, State};

use crate::bench::{Bench, ask, connect, connect_at, eventually, is_root, kill, postmaster, try_connect};
use crate::helper::Helper;

/// A session that is busy in a loop which never looks whether its server is gone.
async fn keep_busy(client: tokio_postgres::Client) -> i32 {
    let pid = ask(&client, "select pg_backend_pid()").await.parse().unwrap();
    tokio::spawn(async move {
        let _ = client.simple_query("select count(*) from generate_series(1, 1000000000000)").await;
    });
    pid
}

async fn is_busy(client: &tokio_postgres::Client, pid: i32) {
    let sql = format!("select state from pg_stat_activity where pid = {pid} and query like 'select count%'");
    eventually("the session is busy", async || (ask(client, &sql).await == "active").then_some(())).await;
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

async fn kill_server_and_wait(cluster: &Cluster) {
    let mut status = cluster.status();
    let pid = postmaster(cluster.data_dir()).unwrap();
    kill("-9", pid);
    status.wait_for(|state| !matches!(state, State::Running)).await.unwrap();
    status.wait_for(|state| !matches!(state, State::Restarting { .. })).await.unwrap();
}

#[tokio::test]
async fn a_killed_server_comes_back_with_its_data_although_a_busy_session_outlived_it() {
    let bench = Bench::with_data().await;
    let cluster = bench.start().await.unwrap();
    let client = connect(&cluster).await;
    ask(&client, "create table kept as select 42 as n").await;
    let busy = keep_busy(connect(&cluster).await).await;
    is_busy(&client, busy).await;

    let begun = Instant::now();
    kill_server_and_wait(&cluster).await;
    eprintln!("kill -9 of the server to serving again: {:?}", begun.elapsed());
    assert_eq!(*cluster.status().borrow(), State::Running);
    assert!(begun.elapsed() < Duration::from_secs(10), "R-05: accepting within 10 s");
    assert!(!is_alive(busy));
    assert!(bench.has_event(|e| matches!(e, Event::EndedLeftovers { pids } if pids.contains(&busy))));
    assert!(bench.has_event(|e| matches!(e, Event::Recovering)));
    assert_eq!(ask(&connect(&cluster).await, "select n from kept").await, "42");
    cluster.stop().await;
}

#[tokio::test]
async fn when_bedplate_is_killed_the_server_shuts_down_cleanly() {
    let bench = Bench::with_data().await;
    let mut helper = Helper::start(&bench.state(), None);
    assert_eq!(helper.outcome, "ready");

    let error = bench.start().await.unwrap_err();
    assert!(matches!(error, Error::Locked { pid: Some(pid), .. } if pid == helper.pid()), "{error}");

    let data = bench.state().join("pg");
    let server = postmaster(&data).unwrap();
    helper.kill();
    eventually("the server has ended", async || (!is_alive(server)).then_some(())).await;
    assert_eq!(postmaster(&data), None);

    let cluster = bench.start().await.unwrap();
    assert!(!bench.has_event(|e| matches!(e, Event::Recovering)), "{:?}", bench.events());
    assert!(cluster.log_tail(50).iter().any(|line| line.contains("database system is shut down")));
    cluster.stop().await;
}

#[tokio::test]
async fn when_bedplate_ends_without_stopping_it_the_server_shuts_down_cleanly() {
    let bench = Bench::with_data().await;
    let mut helper = Helper::start(&bench.state(), None);
    assert_eq!(helper.outcome, "ready");
    let server = postmaster(&bench.state().join("pg")).unwrap();
    helper.finish();
    eventually("the server has ended", async || (!is_alive(server)).then_some(())).await;
    let cluster = bench.start().await.unwrap();
    assert!(!bench.has_event(|e| matches!(e, Event::Recovering)));
    cluster.stop().await;
}

#[tokio::test]
async fn orphans_of_a_crash_of_everything_are_ended_before_the_next_start() {
    let bench = Bench::with_data().await;
    let mut helper = Helper::start(&bench.state(), None);
    assert_eq!(helper.outcome, "ready");
    let connect = async || connect_at(&bench.state().join("run"), "supabase_admin").await.unwrap();
    let busy = keep_busy(connect().await).await;
    is_busy(&connect().await, busy).await;

    // Stopped first, so that the supervisor in it cannot act on the server's death.
    kill("-STOP", helper.pid());
    kill("-9", postmaster(&bench.state().join("pg")).unwrap());
    helper.kill();
    assert!(is_alive(busy));

    let begun = Instant::now();
    let cluster = bench.start().await.unwrap();
    eprintln!("kill -9 of everything to serving again: {:?}", begun.elapsed());
    assert!(bench.has_event(|e| matches!(e, Event::EndedLeftovers { pids } if pids.contains(&busy))));
    assert!(!is_alive(busy));
    cluster.stop().await;
}

#[tokio::test]
async fn a_server_that_nobody_owns_is_ended_and_not_adopted() {
    let bench = Bench::with_data().await;
    let cluster = bench.start().await.unwrap();
    let data = cluster.data_dir().to_path_buf();
    let socket_dir = cluster.socket_dir().to_path_buf();
    let bin_dir = bench.events().into_iter().find_map(|event| match event {
        Event::Found { bin_dir, .. } => Some(bin_dir),
        _ => None,
    });
    cluster.stop().await;

    let mut command = Command::new(bin_dir.unwrap().join("postgres"));
    command
        .arg("-D")
        .arg(&data)
        .args(["-c", "listen_addresses="])
        .arg("-k")
        .arg(&socket_dir)
        .current_dir("/");
    let meta = std::fs::metadata(&data).unwrap();
    if is_root() {
        use std::os::unix::{fs::MetadataExt, process::CommandExt};
        command.uid(meta.uid()).gid(meta.gid());
    }
    let mut foreign = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    eventually("the foreign server answers", async || connect_at(&socket_dir, "supabase_admin").await.ok())
        .await;

    // Collected at once, as init would.
    let foreign_pid = foreign.id() as i32;
    let collector = std::thread::spawn(move || foreign.wait().unwrap());
    let cluster = bench.start().await.unwrap();
    assert!(bench.has_event(|e| matches!(e, Event::EndedLeftovers { pids } if pids.contains(&foreign_pid))));
    assert!(!bench.has_event(|e| matches!(e, Event::Recovering)), "it was shut down in order");
    assert!(collector.join().unwrap().success());
    cluster.stop().await;
}

#[tokio::test]
async fn a_pid_file_whose_pid_is_somebody_else_does_not_block_the_start() {
    let bench = Bench::with_data().await;
    let cluster = bench.start().await.unwrap();
    let pid_file = cluster.data_dir().join("postmaster.pid");
    let content = std::fs::read_to_string(&pid_file).unwrap();
    cluster.stop().await;

    // The server's user has another process under the old pid: what PostgreSQL takes for a running server.
    let meta = std::fs::metadata(cluster.data_dir()).unwrap();
    let mut command = Command::new("sleep");
    command.arg("600");
    if is_root() {
        use std::os::unix::{fs::MetadataExt, process::CommandExt};
        command.uid(meta.uid()).gid(meta.gid());
    }
    let mut other = command.spawn().unwrap();
    let rest = content.split_once('\n').unwrap().1;
    std::fs::write(&pid_file, format!("{}\n{rest}", other.id())).unwrap();

    bench.start().await.unwrap().stop().await;

    // The same for a dead process that its parent has not collected.
    other.kill().unwrap();
    eventually("it is a zombie", async || (!is_alive(other.id() as i32)).then_some(())).await;
    std::fs::write(&pid_file, format!("{}\n{rest}", other.id())).unwrap();
    let outcome = bench.start().await;
    other.wait().unwrap();
    outcome.unwrap().stop().await;
}

#[tokio::test]
async fn five_crashes_in_a_minute_end_the_attempts_and_say_why() {
    let bench = Bench::with_data().await;
    let mut options = bench.options();
    options.restart.shortest = Duration::from_millis(1);
    let cluster = bench.start_with(options).await.unwrap();
    for _ in 0..4 {
        kill_server_and_wait(&cluster).await;
        assert_eq!(*cluster.status().borrow(), State::Running);
    }
    kill_server_and_wait(&cluster).await;
    let state = cluster.status().borrow().clone();
    let State::Failed { reason } = state else { panic!("{state:?}") };
    assert!(reason.contains("5 crashes within 60 s") && reason.contains("killed by signal 9"), "{reason}");
    assert!(try_connect(&cluster).await.is_err());

    cluster.stop().await;
    assert_eq!(*cluster.status().borrow(), State::Stopped);
    bench.start().await.unwrap().stop().await;
}

#[tokio::test]
async fn a_server_that_ends_at_once_shows_its_last_lines() {
    let bench = Bench::with_data().await;
    let cluster = bench.start().await.unwrap();
    cluster.stop().await;
    let config = cluster.data_dir().join("postgresql.conf");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\nno_such_setting = 1\n")).unwrap();
    let error = bench.start().await.unwrap_err();
    let Error::ExitedEarly { tail, .. } = &error else { panic!("{error}") };
    assert!(tail.len() <= 20 && tail.iter().any(|line| line.contains("no_such_setting")), "{error}");
    // Nothing is held after a failure.
    std::fs::write(&config, text).unwrap();
    bench.start().await.unwrap().stop().await;
}
