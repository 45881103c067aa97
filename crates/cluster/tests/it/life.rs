//! The ordinary life: new, again, stopped.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use bedplate_cluster::{Error, Event, State};

use crate::bench::{Bench, ask, connect, show};

#[tokio::test]
async fn a_new_folder_gets_a_server_and_keeps_its_data_over_a_restart() {
    let bench = Bench::new();
    let cluster = bench.start().await.unwrap();
    eprintln!("cold start: {:?}", cluster.startup);
    assert!(cluster.created());
    assert!(cluster.version().major >= 15);
    assert_eq!(*cluster.status().borrow(), State::Running);
    assert!(bench.has_event(|e| matches!(e, Event::Creating { .. })));
    assert!(bench.has_event(|e| matches!(e, Event::Started { created: true, .. })));

    let client = connect(&cluster).await;
    assert_eq!(
        show(&client, "server_version").await.split(' ').next().unwrap(),
        cluster.version().to_string()
    );
    ask(&client, "create table kept as select 42 as n").await;
    drop(client);
    assert!(!cluster.log_tail(5).is_empty());
    cluster.stop().await;
    assert_eq!(*cluster.status().borrow(), State::Stopped);
    assert!(!cluster.data_dir().join("postmaster.pid").exists());

    let cluster = bench.start().await.unwrap();
    eprintln!("warm start: {:?}", cluster.startup);
    assert!(!cluster.created());
    assert!(!bench.has_event(|e| matches!(e, Event::Recovering | Event::Creating { .. })));
    assert_eq!(ask(&connect(&cluster).await, "select n from kept").await, "42");
    cluster.stop().await;
}

#[tokio::test]
async fn the_server_is_safe_private_and_speaks_unicode() {
    let bench = Bench::new();
    let cluster = bench.start().await.unwrap();
    let client = connect(&cluster).await;
    for (name, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("wal_level", "logical"),
        ("max_connections", "60"),
        ("jit", "off"),
        ("shared_buffers", "51MB"),
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
    ] {
        assert_eq!(show(&client, name).await, value, "{name}");
    }
    assert_eq!(ask(&client, "select datcollate from pg_database where datname = 'postgres'").await, "C");
    assert_eq!(ask(&client, "select lower('ÉCOLE')").await, "école");
    assert_eq!(ask(&client, "select rolsuper from pg_roles where rolname = 'supabase_admin'").await, "t");

    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(cluster.socket_dir()), 0o700);
    assert_eq!(mode(cluster.data_dir()), 0o700);
    assert_eq!(fs::read_to_string(bench.state().join(".gitignore")).unwrap(), "*\n");
    cluster.stop().await;
}

#[tokio::test]
async fn settings_of_the_caller_win_and_alter_system_wins_over_them() {
    let bench = Bench::with_data().await;
    let mut options = bench.options();
    options.settings.insert("work_mem".to_owned(), "7MB".to_owned());
    options.settings.insert("statement_timeout".to_owned(), "9s".to_owned());
    let cluster = bench.start_with(options.clone()).await.unwrap();
    let client = connect(&cluster).await;
    assert_eq!(show(&client, "work_mem").await, "7MB");
    ask(&client, "alter system set work_mem = '11MB'").await;
    cluster.stop().await;
    let cluster = bench.start_with(options).await.unwrap();
    let client = connect(&cluster).await;
    assert_eq!(show(&client, "work_mem").await, "11MB");
    assert_eq!(show(&client, "statement_timeout").await, "9s");
    // Not even this one can switch off what keeps data safe.
    ask(&client, "alter system set fsync = off").await;
    cluster.stop().await;
    let cluster = bench.start().await.unwrap();
    assert_eq!(show(&connect(&cluster).await, "fsync").await, "on");
    cluster.stop().await;
}

#[tokio::test]
async fn an_unsafe_setting_is_refused_before_anything_is_made() {
    let bench = Bench::new();
    let mut options = bench.options();
    options.settings.insert("fsync".to_owned(), "off".to_owned());
    let error = bench.start_with(options).await.unwrap_err();
    assert!(matches!(&error, Error::Setting { name, .. } if name == "fsync"), "{error}");
    assert!(!bench.state().exists());
}

#[tokio::test]
async fn a_start_that_nobody_waits_for_is_taken_back() {
    let bench = Bench::new();
    // Long enough to have begun, too short to finish.
    let given_up = tokio::time::timeout(Duration::from_millis(300), bench.start()).await;
    assert!(given_up.is_err());
    let cluster = crate::bench::eventually("the folder is free again", async || match bench.start().await {
        Ok(cluster) => Some(cluster),
        Err(Error::Locked { .. }) => None,
        Err(error) => panic!("{error}"),
    })
    .await;
    cluster.stop().await;
}

#[tokio::test]
async fn dropping_the_handle_stops_the_server_and_stopping_twice_is_fine() {
    let bench = Bench::with_data().await;
    let cluster = bench.start().await.unwrap();
    let mut status = cluster.status();
    drop(cluster);
    status.wait_for(|state| *state == State::Stopped).await.unwrap();
    let cluster = bench.start().await.unwrap();
    cluster.stop().await;
    cluster.stop().await;
}
