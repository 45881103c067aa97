//! Binaries from a source: consent, the pinned hash, the cache. The archive holds scripts that run the system's server.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use bedplate_cluster::{Consent, Download, Error, Event, Offer, Options, Source};
use sha2::{Digest, Sha256};

use crate::bench::{Bench, ask, connect, open};

/// Where the system's server is, and its version.
fn system_server() -> (String, String) {
    let found = Command::new("sh")
        .args(["-c", "ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1; true"])
        .output()
        .unwrap();
    let mut dir = String::from_utf8(found.stdout).unwrap().trim().to_owned();
    if dir.is_empty() {
        let asked =
            Command::new("pg_config").arg("--bindir").output().expect("a PostgreSQL server for the tests");
        String::from_utf8(asked.stdout).unwrap().trim().clone_into(&mut dir);
    }
    let said = Command::new(format!("{dir}/postgres")).arg("--version").output().unwrap();
    let version = String::from_utf8(said.stdout).unwrap().split_whitespace().nth(2).unwrap().to_owned();
    (dir, version)
}

struct Archive {
    bytes: Vec<u8>,
    sha256: String,
    version: String,
}

fn archive(dir: &Path) -> Archive {
    let (system, version) = system_server();
    let bin = dir.join("postgresql/bin");
    fs::create_dir_all(&bin).unwrap();
    for program in ["postgres", "initdb"] {
        let path = bin.join(program);
        fs::write(&path, format!("#!/bin/sh\nexec {system}/{program} \"$@\"\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let file = dir.join("pg.tar.gz");
    let made =
        Command::new("tar").arg("-czf").arg(&file).arg("-C").arg(dir).arg("postgresql").status().unwrap();
    assert!(made.success());
    let bytes = fs::read(file).unwrap();
    let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    Archive { bytes, sha256, version }
}

/// Serves the archive behind one redirect, as release pages do. Returns the address and the paths asked for.
fn serve(bytes: Vec<u8>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let head: Vec<_> = BufReader::new(stream.try_clone().unwrap())
                .lines()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
            seen.lock().unwrap().push(path.clone());
            let answer = if path.starts_with("/file") {
                let mut answer =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len()).into_bytes();
                answer.extend(&bytes);
                answer
            } else if path.starts_with("/pg") {
                b"HTTP/1.1 302 Found\r\nLocation: /file\r\nContent-Length: 0\r\n\r\n".to_vec()
            } else {
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec()
            };
            let _ = stream.write_all(&answer);
        }
    });
    (base, asked)
}

/// A machine without any server.
fn bare(bench: &Bench) -> Options {
    let mut options = bench.options();
    options.probes.system_folders = |_| Vec::new();
    options.search_path = None;
    let cache = bench.path().join("cache");
    fs::create_dir_all(&cache).unwrap();
    open(&cache);
    options.cache_dir = Some(cache);
    options
}

fn cache_entries(bench: &Bench) -> Vec<String> {
    let entries = fs::read_dir(bench.path().join("cache/pg-bin")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn binaries_are_downloaded_after_consent_verified_and_kept() {
    let bench = Bench::new();
    let archive = archive(bench.path());
    let (base, asked) = serve(archive.bytes);
    let mut options = bare(&bench);
    let offers = Arc::new(Mutex::new(Vec::<Offer>::new()));
    let seen = Arc::clone(&offers);
    options.download = Download {
        consent: Consent::Ask(Arc::new(move |offer| {
            seen.lock().unwrap().push(offer.clone());
            true
        })),
        source: Some(Source {
            url: format!("{base}/pg-{{version}}-{{os}}-{{arch}}.tar.gz"),
            version: archive.version.clone(),
            sha256: archive.sha256.to_uppercase(),
        }),
    };
    let cluster = bench.start_with(options.clone()).await.unwrap();
    assert_eq!(ask(&connect(&cluster).await, "select 1").await, "1");
    cluster.stop().await;
    assert!(
        bench.has_event(
            |e| matches!(e, Event::Downloading { received, total, .. } if Some(*received) <= *total)
        )
    );
    assert!(bench.has_event(|e| matches!(e, Event::Unpacking { .. })));
    let paths = asked.lock().unwrap().clone();
    let first = format!("/pg-{}-{}-{}.tar.gz", archive.version, std::env::consts::OS, std::env::consts::ARCH);
    assert_eq!(paths, [first, "/file".to_owned()]);
    assert_eq!(offers.lock().unwrap().len(), 1);
    assert_eq!(cache_entries(&bench), [archive.version]);

    // The second time nothing is asked, of nobody.
    options.download = Download::default();
    let cluster = bench.start_with(options).await.unwrap();
    assert!(bench.has_event(|e| matches!(e, Event::Found { bin_dir, .. } if bin_dir.starts_with(bench.path().canonicalize().unwrap()))));
    cluster.stop().await;
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn an_archive_with_another_hash_is_never_unpacked() {
    let bench = Bench::new();
    let archive = archive(bench.path());
    let (base, _) = serve(archive.bytes);
    let mut options = bare(&bench);
    let source = Source { url: format!("{base}/file"), version: archive.version, sha256: "0".repeat(64) };
    options.download = Download { consent: Consent::Yes, source: Some(source) };
    let error = bench.start_with(options).await.unwrap_err();
    assert!(matches!(&error, Error::HashMismatch { found, .. } if *found == archive.sha256), "{error}");
    assert!(!bench.has_event(|e| matches!(e, Event::Unpacking { .. })));
    assert_eq!(cache_entries(&bench), Vec::<String>::new());
}

#[tokio::test]
async fn without_consent_source_or_answer_the_way_out_is_told() {
    let bench = Bench::new();
    let (base, asked) = serve(Vec::new());
    let source = |path: &str| {
        let url = format!("{base}{path}");
        Some(Source { url, version: "15.1".to_owned(), sha256: "0".repeat(64) })
    };
    let mut options = bare(&bench);
    let error = bench.start_with(options.clone()).await.unwrap_err();
    assert!(error.to_string().contains("no download source is set"), "{error}");

    options.download = Download { consent: Consent::Never, source: source("/file") };
    let error = bench.start_with(options.clone()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }) && error.to_string().contains("not allowed"), "{error}");

    options.download = Download { consent: Consent::Ask(Arc::new(|_| false)), source: source("/file") };
    let error = bench.start_with(options.clone()).await.unwrap_err();
    assert!(matches!(error, Error::DownloadRefused { .. }), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 0);

    options.download = Download { consent: Consent::Yes, source: source("/missing") };
    let error = bench.start_with(options).await.unwrap_err();
    assert!(matches!(error, Error::Download { .. }) && error.to_string().contains("404"), "{error}");
}

#[tokio::test]
async fn a_folder_without_a_server_is_refused_by_name() {
    let bench = Bench::new();
    let mut options = bench.options();
    options.bin_dir = Some(bench.path().to_path_buf());
    let error = bench.start_with(options).await.unwrap_err();
    assert!(matches!(error, Error::BinDir { .. }) && error.to_string().contains("no `postgres`"), "{error}");
}
