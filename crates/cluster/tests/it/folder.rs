//! Folders in every state: odd names, half-made, of another version, full.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bedplate_cluster::{Error, Event, State};

use crate::bench::{Bench, ask, connect, is_root, open, options};

#[tokio::test]
async fn two_on_one_folder_are_refused_with_the_holder() {
    let bench = Bench::with_data().await;
    let first = bench.start().await.unwrap();
    let error = bench.start().await.unwrap_err();
    let Error::Locked { pid, .. } = &error else { panic!("{error}") };
    assert_eq!(*pid, Some(std::process::id() as i32));
    assert!(error.to_string().contains("Stop that one first"));
    assert_eq!(ask(&connect(&first).await, "select 1").await, "1");
    first.stop().await;
}

#[tokio::test]
async fn spaces_commas_and_quotes_in_the_path_are_fine() {
    let bench = Bench::new();
    let project = bench.path().join("my \"own\", pro'ject");
    fs::create_dir(&project).unwrap();
    open(&project);
    let cluster = bench.start_with(options(project.join(".bedplate"))).await.unwrap();
    assert!(cluster.socket_dir().starts_with(&project));
    assert_eq!(ask(&connect(&cluster).await, "select 1").await, "1");
    cluster.stop().await;
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_a_short_private_folder_that_is_removed_again() {
    let bench = Bench::new();
    let project = bench.path().join("long-".repeat(30));
    fs::create_dir(&project).unwrap();
    open(&project);
    let mut options = options(project.join(".bedplate"));
    options.runtime_dir = Some(bench.path().to_path_buf());
    let cluster = bench.start_with(options).await.unwrap();
    let socket_dir = cluster.socket_dir().to_path_buf();
    assert!(!socket_dir.starts_with(&project));
    assert!(socket_dir.as_os_str().as_bytes().len() < 86);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&socket_dir).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(ask(&connect(&cluster).await, "select 1").await, "1");
    cluster.stop().await;
    assert!(!socket_dir.exists());
}

#[tokio::test]
async fn a_half_made_folder_of_ours_is_removed_and_made_anew() {
    let bench = Bench::new();
    let stale = bench.state().join("pg.new");
    fs::create_dir_all(stale.join("base")).unwrap();
    fs::write(stale.join("PG_VERSION"), "15\n").unwrap();
    // An empty folder, as a mount point leaves it, counts as none.
    fs::create_dir(bench.state().join("pg")).unwrap();
    let cluster = bench.start().await.unwrap();
    assert!(cluster.created());
    assert!(bench.has_event(|e| matches!(e, Event::RemovedHalfMade { .. })));
    assert!(!stale.exists());
    cluster.stop().await;
}

fn fake_data(bench: &Bench, version: &str) {
    let data = bench.state().join("pg");
    fs::create_dir_all(data.join("global")).unwrap();
    fs::write(data.join("PG_VERSION"), format!("{version}\n")).unwrap();
    fs::write(data.join("global/pg_control"), "").unwrap();
    if is_root() {
        std::os::unix::fs::chown(&data, Some(65534), Some(65534)).unwrap();
    }
}

#[tokio::test]
async fn data_of_another_major_is_refused_with_what_to_install() {
    let bench = Bench::new();
    fake_data(&bench, "9");
    let error = bench.start().await.unwrap_err();
    let Error::OtherMajor { data, found, .. } = &error else { panic!("{error}") };
    assert_eq!(*data, 9);
    assert!(!found.is_empty());
    assert!(error.to_string().contains("Install version 9"), "{error}");

    // Also when the binaries are named.
    let mut options = bench.options();
    let bin_dir = Command::new("sh").args(["-c", "ls -d /usr/lib/postgresql/*/bin"]).output().unwrap();
    let text = String::from_utf8(bin_dir.stdout).unwrap();
    if let Some(dir) = text.lines().next() {
        options.bin_dir = Some(dir.into());
        let error = bench.start_with(options).await.unwrap_err();
        assert!(matches!(error, Error::OtherMajor { data: 9, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_folder_that_is_no_data_folder_is_left_alone() {
    let bench = Bench::new();
    let data = bench.state().join("pg");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("precious"), "x").unwrap();
    let error = bench.start().await.unwrap_err();
    assert!(matches!(error, Error::HalfMade { .. }), "{error}");
    assert!(error.to_string().contains("PG_VERSION"));

    fs::write(data.join("PG_VERSION"), "15\n").unwrap();
    let error = bench.start().await.unwrap_err();
    assert!(error.to_string().contains("pg_control"), "{error}");
    assert_eq!(fs::read_to_string(data.join("precious")).unwrap(), "x");
}

#[tokio::test]
async fn a_link_to_data_that_is_gone_is_not_replaced() {
    let bench = Bench::new();
    fs::create_dir(bench.state()).unwrap();
    std::os::unix::fs::symlink("/no/such/volume/pg", bench.state().join("pg")).unwrap();
    let error = bench.start().await.unwrap_err();
    assert!(matches!(error, Error::DanglingLink { .. }), "{error}");
    assert!(fs::symlink_metadata(bench.state().join("pg")).unwrap().is_symlink());
}

#[tokio::test]
async fn a_full_disk_is_told_before_anything_is_written() {
    let bench = Bench::new();
    let mut options = bench.options();
    options.probes.free_space = |_| Ok(5 << 20);
    let error = bench.start_with(options).await.unwrap_err();
    assert!(matches!(error, Error::DiskFull { free, .. } if free == 5 << 20), "{error}");
    assert!(error.to_string().contains("5 MB free, 128 MB needed"), "{error}");
    assert!(!bench.state().join("pg.new").exists());
    bench.start().await.unwrap().stop().await;
}

#[tokio::test]
async fn the_ballast_is_reserved_and_given_up_when_the_disk_is_full() {
    /// Free space that depends on whether the ballast is there.
    #[allow(clippy::unnecessary_wraps, reason = "the type of the probe")]
    fn free(dir: &Path) -> std::io::Result<u64> {
        Ok(if dir.join("full").exists() && dir.join("ballast").exists() { 0 } else { 1 << 30 })
    }
    let bench = Bench::with_data().await;
    let mut options = bench.options();
    options.ballast = 1 << 20;
    options.probes.free_space = free;
    let ballast = bench.state().join("ballast");
    let cluster = bench.start_with(options.clone()).await.unwrap();
    if Command::new("stat").args(["-f", "-c", "%T"]).arg(bench.path()).output().unwrap().stdout != b"tmpfs\n"
    {
        crate::bench::eventually("the ballast is there", async || ballast.exists().then_some(())).await;
    }
    cluster.stop().await;
    fs::write(bench.state().join("full"), "").unwrap();
    fs::write(&ballast, "x").unwrap();
    // It starts, because the ballast made room.
    let cluster = bench.start_with(options).await.unwrap();
    cluster.stop().await;
}

/// A small file system of memory; unmounted on drop.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(dir: &'a Path, size: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=755"), "tmpfs"]).arg(dir);
        mount.output().is_ok_and(|o| o.status.success()).then_some(Self(dir))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_disk_that_fills_up_during_initdb_leaves_nothing_behind() {
    let bench = Bench::new();
    let dir = bench.path().join("small");
    fs::create_dir(&dir).unwrap();
    let Some(_disk) = SmallDisk::mount(&dir, "20m") else {
        eprintln!("skipped: this user may not mount file systems");
        return;
    };
    let mut options = options(dir.join(".bedplate"));
    options.probes.free_space = |_| Ok(1 << 40);
    let error = bench.start_with(options).await.unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert!(!dir.join(".bedplate/pg.new").exists());
    assert!(!dir.join(".bedplate/pg").exists());
}

#[tokio::test]
async fn a_disk_that_is_full_at_a_warm_start_is_told_and_heals_with_space() {
    let bench = Bench::new();
    let dir = bench.path().join("small");
    fs::create_dir(&dir).unwrap();
    let Some(_disk) = SmallDisk::mount(&dir, "200m") else {
        eprintln!("skipped: this user may not mount file systems");
        return;
    };
    let options = options(dir.join(".bedplate"));
    bench.start_with(options.clone()).await.unwrap().stop().await;
    let filler = dir.join("filler");
    let filled =
        Command::new("dd").args(["if=/dev/zero", "bs=1M", &format!("of={}", filler.display())]).output();
    assert!(!filled.unwrap().status.success(), "the disk must be full");
    let error = bench.start_with(options.clone()).await.unwrap_err();
    assert!(matches!(error, Error::DiskFull { free: 0, .. }), "{error}");
    // Also when only the server notices.
    let mut unaware = options.clone();
    unaware.probes.free_space = |_| Ok(1 << 40);
    let error = bench.start_with(unaware).await.unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. } | Error::Io { .. }), "{error:?}");
    fs::remove_file(filler).unwrap();
    bench.start_with(options).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_disk_that_fills_up_while_running_heals_by_itself_with_space() {
    let bench = Bench::new();
    let dir = bench.path().join("small");
    fs::create_dir(&dir).unwrap();
    let Some(_disk) = SmallDisk::mount(&dir, "200m") else {
        eprintln!("skipped: this user may not mount file systems");
        return;
    };
    let mut options = options(dir.join(".bedplate"));
    options.restart.shortest = Duration::from_millis(1);
    options.restart.longest = Duration::from_millis(50);
    let cluster = bench.start_with(options).await.unwrap();
    let client = connect(&cluster).await;
    ask(&client, "create table kept as select 42 as n").await;
    let filler = dir.join("filler");
    let filled =
        Command::new("dd").args(["if=/dev/zero", "bs=1M", &format!("of={}", filler.display())]).output();
    assert!(!filled.unwrap().status.success(), "the disk must be full");

    // New WAL files are needed soon, and PostgreSQL panics when it cannot have one.
    for _ in 0..20 {
        let sql = "select pg_logical_emit_message(true, 'x', 'y'); select pg_switch_wal()";
        if client.simple_query(sql).await.is_err() {
            break;
        }
    }
    // More failures in a row than a crashing server is allowed.
    let mut status = cluster.status();
    let mut seen = Vec::new();
    while seen.len() < 8 {
        let changed = tokio::time::timeout(Duration::from_secs(30), status.changed()).await;
        changed.expect("the server panics and is started again").unwrap();
        seen.push(status.borrow_and_update().clone());
        assert!(!matches!(seen.last(), Some(State::Failed { .. } | State::Stopped)), "{seen:?}");
    }

    fs::remove_file(filler).unwrap();
    let n = crate::bench::eventually("it serves again", async || {
        let client = crate::bench::try_connect(&cluster).await.ok()?;
        client.simple_query("insert into kept values (43)").await.ok()?;
        Some(ask(&client, "select sum(n) from kept").await)
    })
    .await;
    assert_eq!(n, "85");
    cluster.stop().await;
}
