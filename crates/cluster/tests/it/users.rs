//! Who runs the server.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use bedplate_cluster::{Error, Event};

use crate::bench::{Bench, ask, connect, is_root, postmaster};
use crate::helper::Helper;

fn owner_of_process(pid: i32) -> u32 {
    fs::metadata(format!("/proc/{pid}")).unwrap().uid()
}

fn root_only() -> bool {
    if !is_root() {
        eprintln!("skipped: only root can become another user");
    }
    is_root()
}

#[tokio::test]
async fn root_runs_the_server_as_the_owner_of_the_data_and_it_sees_no_secret_of_ours() {
    if !root_only() {
        return;
    }
    let bench = Bench::new();
    let cluster = bench.start().await.unwrap();
    let pid = postmaster(cluster.data_dir()).unwrap();
    let uid = fs::metadata(cluster.data_dir()).unwrap().uid();
    assert_ne!(uid, 0);
    assert_eq!(owner_of_process(pid), uid);
    let environment = String::from_utf8(fs::read(format!("/proc/{pid}/environ")).unwrap()).unwrap();
    assert!(!environment.contains("CARGO"), "{environment}");
    let groups = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(!groups.lines().any(|l| l.starts_with("Groups:") && l.split_whitespace().any(|g| g == "0")));
    cluster.stop().await;
}

#[tokio::test]
async fn root_without_a_user_to_change_to_is_told_how_to_make_one() {
    let bench = Bench::new();
    let mut options = bench.options();
    options.probes.uid = || 0;
    options.probes.user = |_| None;
    let error = bench.start_with(options).await.unwrap_err();
    assert!(matches!(error, Error::RootWithoutUser), "{error}");
    assert!(error.to_string().contains("useradd --system bedplate"));
}

/// A folder of `uid` in the bench, for a helper of that user.
fn folder_of(bench: &Bench, uid: u32, gid: u32) -> std::path::PathBuf {
    let dir = bench.path().join("project");
    fs::create_dir(&dir).unwrap();
    std::os::unix::fs::chown(&dir, Some(uid), Some(gid)).unwrap();
    dir
}

#[tokio::test]
async fn an_ordinary_user_runs_the_server_as_itself() {
    if !root_only() {
        return;
    }
    let bench = Bench::new();
    // The helper's program is copied next to the state folder.
    let dir = folder_of(&bench, 65534, 65534);
    let mut helper = Helper::start(&dir.join(".bedplate"), Some((65534, 65534)));
    assert_eq!(helper.outcome, "ready");
    let pid = postmaster(&dir.join(".bedplate/pg")).unwrap();
    assert_eq!(owner_of_process(pid), 65534);
    assert_eq!(fs::metadata(dir.join(".bedplate")).unwrap().permissions().mode() & 0o777, 0o700);
    helper.finish();
    crate::bench::eventually("the server has ended", async || {
        (!fs::exists(format!("/proc/{pid}")).unwrap()).then_some(())
    })
    .await;

    // Another user is refused, and told whose it is.
    let stranger = Helper::start(&dir.join(".bedplate"), Some((1, 1)));
    assert!(
        stranger.outcome.contains("cannot") || stranger.outcome.contains("NotOwner"),
        "{}",
        stranger.outcome
    );
}

/// Whether a user without a name may make a user namespace here.
fn may_make_namespaces() -> bool {
    use std::os::unix::process::CommandExt;
    let mut unshare = std::process::Command::new("unshare");
    unshare.args(["--user", "--map-user=65534", "true"]).uid(54_321).gid(54_321).current_dir("/");
    unshare.output().is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_user_id_without_a_name_works_where_the_kernel_allows_it_and_is_told_what_to_do_elsewhere() {
    if !root_only() {
        return;
    }
    let bench = Bench::new();
    let dir = folder_of(&bench, 54_321, 54_321);
    let helper = Helper::start_without_users(&dir.join(".bedplate"), (54_321, 54_321));
    let outcome = &helper.outcome;
    assert!(outcome.contains("UnknownUid { uid: 54321 }") && outcome.contains("/etc/passwd"), "{outcome}");
    drop(helper);

    if !may_make_namespaces() {
        eprintln!("skipped the second half: no user namespaces here");
        return;
    }
    let mut helper = Helper::start(&dir.join(".bedplate"), Some((54_321, 54_321)));
    assert_eq!(helper.outcome, "ready");
    let data = dir.join(".bedplate/pg");
    let pid = postmaster(&data).unwrap();
    assert_eq!(fs::metadata(&data).unwrap().uid(), 54_321);
    assert_eq!(owner_of_process(pid), 54_321);
    helper.finish();
    crate::bench::eventually("the server has ended", async || {
        (!fs::exists(format!("/proc/{pid}")).unwrap()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_project_below_a_closed_home_is_refused_or_gets_its_data_elsewhere() {
    if !root_only() {
        return;
    }
    let bench = Bench::new();
    let home = bench.path().join("home");
    fs::create_dir_all(home.join("project")).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    let mut options = crate::bench::options(home.join("project/.bedplate"));
    let error = bench.start_with(options.clone()).await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable { folder, .. } if folder.ends_with("home")), "{error}");
    assert!(error.to_string().contains("chmod o+x"));

    options.fallback_dir = Some(bench.path().join("lib"));
    let cluster = bench.start_with(options.clone()).await.unwrap();
    assert!(bench.has_event(|e| matches!(e, Event::Placed { .. })));
    assert!(cluster.data_dir().starts_with(bench.path().canonicalize().unwrap().join("lib")));
    ask(&connect(&cluster).await, "create table kept as select 42 as n").await;
    cluster.stop().await;

    let cluster = bench.start_with(options).await.unwrap();
    assert!(!cluster.created());
    assert_eq!(ask(&connect(&cluster).await, "select n from kept").await, "42");
    cluster.stop().await;
}
