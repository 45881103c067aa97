use std::fs;

use bedplate_http::{Access, App, Mount, StaticFiles};
use http::Request;

use crate::server::{Server, config, ok, start};

fn server() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let public = folder.path().join("public");
    fs::create_dir_all(public.join("docs")).unwrap();
    fs::create_dir_all(public.join(".git")).unwrap();
    fs::write(public.join("index.html"), "<h1>hello</h1>").unwrap();
    fs::write(public.join("docs/index.html"), "docs").unwrap();
    fs::write(public.join("a b.js"), "let a").unwrap();
    fs::write(public.join(".env"), "SECRET=1").unwrap();
    fs::write(public.join(".git/config"), "SECRET=1").unwrap();
    fs::write(folder.path().join("outside.txt"), "SECRET=1").unwrap();
    std::os::unix::fs::symlink("../outside.txt", public.join("link.txt")).unwrap();
    std::os::unix::fs::symlink(".env", public.join("env.txt")).unwrap();
    std::os::unix::fs::symlink("a b.js", public.join("inside.js")).unwrap();
    let files = StaticFiles::new(&public).unwrap();
    let mount = Mount::new("", &["static"], Access::Public, files);
    (folder, start(App::builder(config()).routes([ok()]).mount(mount)))
}

#[tokio::test]
async fn files_are_served_with_their_type_and_tag() {
    let (_folder, server) = server();
    let answer = server.get("/").await;
    assert_eq!((answer.status, answer.body.as_ref()), (200, &b"<h1>hello</h1>"[..]));
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.header("content-security-policy").contains("default-src 'self'"));
    assert_eq!(server.get("/a%20b.js").await.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(server.get("/inside.js").await.body, "let a");
    assert_eq!(server.get("/docs/").await.body, "docs");
    let redirect = server.get("/docs").await;
    assert_eq!((redirect.status, redirect.header("location")), (308, "/docs/"));
    // Routes come first.
    assert_eq!(server.get("/ok").await.json()["ok"], true);

    let with = |name: &'static str, value: &str| Request::get(server.url("/")).header(name, value);
    let unchanged = server.send(with("if-none-match", answer.header("etag")), "").await;
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    assert_eq!(unchanged.header("etag"), answer.header("etag"));
    let unchanged = server.send(with("if-modified-since", answer.header("last-modified")), "").await;
    assert_eq!(unchanged.status, 304);
    assert_eq!(server.send(with("if-none-match", "\"other\""), "").await.status, 200);
    let post = server.send(Request::post(server.url("/")), "").await;
    post.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn nothing_else_is_served() {
    let (_folder, server) = server();
    for path in [
        "/.env",
        "/.git/config",
        "/%2eenv",
        "/env.txt",
        "/link.txt",
        "/../outside.txt",
        "/%2e%2e/outside.txt",
        "/..%2foutside.txt",
        "/docs/../../outside.txt",
        "/docs/%2e%2e%2f%2e%2e%2foutside.txt",
        "/..%5coutside.txt",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/a%20b.js/x",
        "/missing",
        "/.",
        "/docs/..",
    ] {
        let answers =
            server.raw(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        answers[0].problem(404, "not_found");
    }
    for path in ["/%00", "/%ff", "/a%0ab"] {
        server.get(path).await.problem(400, "malformed_request");
    }
}
