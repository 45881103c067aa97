//! The corpus of addresses that must not be reached. `own` is a listener of this machine in each test: nobody may come.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bedplate_outgoing::{Client, Error, Request, Target};

use crate::server::{Names, Server, answer, client, ok};

/// Hosts that lead, in whatever spelling, to where strangers must not get.
const REFUSED_HOSTS: &[&str] = &[
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.255.255",
    "169.254.169.254",
    "169.254.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "100.100.100.200",
    "192.0.0.1",
    "192.0.0.192",
    "198.18.0.1",
    "198.19.255.255",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.7",
    "192.88.99.1",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[febf::1]",
    "[ff02::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:8.8.8.8]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2002:0a00:1::1]",
    "[2001::1]",
    "[2001:db8::1]",
    // One number, octal, hexadecimal, parts left out, a dot at the end, percent-encoded, full width, circled, soft hyphen.
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "0x7f.1",
    "127.1",
    "127.0.1",
    "0",
    "127.0.0.1.",
    "127.000.000.001",
    "%31%32%37.0.0.1",
    "127.0.0.%31",
    "１２７.0.0.1",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "loc\u{ad}alhost",
    "ⓛocalhost",
    "%6cocalhost",
    // The same for public addresses: a spelling that two programs read differently.
    "134744072",
    "0x08080808",
    "8.8.2056",
    "010.8.8.8",
    "8.8.8.8.",
    // Names.
    "localhost",
    "LOCALHOST",
    "localhost.",
    "LocalHost.",
    "private.test",
    "PRIVATE.test.",
    "metadata.test",
    "mixed.test",
    "mixed6.test",
    "mapped.test",
    "nat64.test",
    "sixtofour.test",
    "zero.test",
    "unknown.test",
];

/// URLs that are not called, whatever their host.
const REFUSED_URLS: &[&str] = &[
    "",
    "x",
    "/x",
    "//public.test/",
    "http:",
    "http://",
    "https://",
    "http:///x",
    "http:public.test",
    "http:/public.test",
    "ftp://public.test/",
    "file:///etc/passwd",
    "gopher://public.test/",
    "unix:/var/run/docker.sock",
    "http+unix://%2fvar%2frun%2fdocker.sock/",
    "data:text/plain,x",
    "javascript:1",
    "jar:http://public.test!/",
    "ws://public.test/",
    "ldap://public.test/",
    "dict://public.test:11211/",
    "http://user@public.test/",
    "http://user:password@public.test/",
    "http://public.test@127.0.0.1/",
    "http://public.test:80@127.0.0.1/",
    "http://:@public.test/",
    "http://@public.test/",
    "http://public.test\\@127.0.0.1/",
    "http:\\\\127.0.0.1/",
    "http://127.0.0.1\\.public.test/",
    " http://public.test/",
    "http://public.test/ ",
    "http://public.test/\n",
    "http://pub\tlic.test/",
    "http://public.test\0/",
    "http://public.test/\r\nx: y",
    "http://public.test:0/",
    "http://public.test:99999/",
    "http://public.test:8x/",
    "http://public.test:80:80/",
    "http://[::1/",
    "http://[fe80::1%25eth0]/",
    "http://[::1]x/",
    "http://pub lic.test/",
    "http://public..test@/",
    "http://pub%00lic.test/",
    "http://münchen.test/",
];

/// Ports other than those of the web, on a host that may be called.
const REFUSED_PORTS: &[u16] =
    &[1, 22, 23, 25, 53, 81, 135, 445, 2375, 3306, 5432, 6379, 8080, 8443, 9200, 11211, 54321, 54322];

fn names() -> Arc<Names> {
    let names = Names::default()
        .with("localhost", &[&["::1", "127.0.0.1"]])
        .with("private.test", &[&["10.1.2.3"]])
        .with("metadata.test", &[&["169.254.169.254"]])
        .with("mixed.test", &[&["93.184.216.34", "127.0.0.1"]])
        .with("mixed6.test", &[&["2606:2800:220:1::1", "::1"]])
        .with("mapped.test", &[&["::ffff:10.0.0.1"]])
        .with("nat64.test", &[&["64:ff9b::a00:1"]])
        .with("sixtofour.test", &[&["2002:a00:1::"]])
        .with("zero.test", &[&["0.0.0.0"]])
        .with("public.test", &[&["93.184.216.34"]]);
    Arc::new(names)
}

async fn call(client: &Client, url: &str) -> Result<u16, Error> {
    let request = Request::get("test", Target::foreign(url)?);
    client.send(request).await.map(|answer| answer.status.as_u16())
}

#[tokio::test]
async fn a04_v33_no_spelling_of_a_private_host_is_reached() {
    let own = Server::start(|_, _| ok("secret")).await;
    let client = client(names(), &[]);
    for host in REFUSED_HOSTS {
        for url in [
            format!("http://{host}/"),
            format!("https://{host}/latest/meta-data/"),
            format!("http://{host}:{}/", own.address.port()),
            format!("HTTP://{host}:80/x?y#z"),
        ] {
            match call(&client, &url).await {
                Err(Error::Refused { .. } | Error::Url(_)) => {}
                Err(Error::Name(_) | Error::Open { .. }) if host.starts_with("unknown") => {}
                other => panic!("{url}: {other:?}"),
            }
        }
    }
    assert_eq!(own.connections(), 0);
}

#[tokio::test]
async fn a04_other_schemes_userinfo_and_broken_urls_are_refused_unread() {
    let names = names();
    let client = client(Arc::clone(&names), &[]);
    for url in REFUSED_URLS {
        let outcome = call(&client, url).await;
        assert!(matches!(outcome, Err(Error::Url(_))), "{url:?}: {outcome:?}");
    }
    assert_eq!(names.asked.load(Ordering::SeqCst), 0, "no name server hears of them");
}

#[tokio::test]
async fn a04_ports_of_other_services_are_refused_before_the_name_is_asked_for() {
    let names = names();
    let client = client(Arc::clone(&names), &[]);
    for port in REFUSED_PORTS {
        let outcome = call(&client, &format!("https://public.test:{port}/")).await;
        assert_eq!(outcome, Err(Error::Refused { host: "public.test".to_owned(), port: *port }));
    }
    assert_eq!(names.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a04_a_name_that_answers_differently_the_second_time_is_asked_once() {
    let good = Server::start(|_, _| ok("good")).await;
    let port = good.address.port();
    let bad = Server::start_at(&format!("127.0.0.2:{port}"), |_, _| ok("bad")).await;
    let names = Arc::new(Names::default().with("rebinding.test", &[&["127.0.0.1"], &["127.0.0.2"]]));
    let client = client(Arc::clone(&names), &[format!("127.0.0.1:{port}")]);
    let url = format!("http://rebinding.test:{port}/");
    assert_eq!(call(&client, &url).await, Ok(200));
    assert_eq!((names.asked.load(Ordering::SeqCst), good.connections()), (1, 1));
    // The next connection asks again, and what is said then is checked again.
    let fresh = crate::server::client(Arc::clone(&names), &[format!("127.0.0.1:{port}")]);
    assert!(matches!(call(&fresh, &url).await, Err(Error::Refused { .. })));
    assert_eq!(bad.connections(), 0);
}

#[tokio::test]
async fn a04_a_redirect_is_held_to_the_same_rules() {
    let own = Server::start(|_, _| ok("secret")).await;
    let secret = own.url("/secret");
    let at = own.address.port();
    let targets = [
        secret.clone(),
        format!("//127.0.0.1:{at}/"),
        format!("http://localhost:{at}/"),
        format!("http://0x7f000001:{at}/"),
        "http://169.254.169.254/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://user:pw@public.test/".to_owned(),
        "\\\\127.0.0.1/".to_owned(),
    ];
    for target in targets {
        let to = target.clone();
        let first = Server::start(move |_, _| answer(302, &format!("location: {to}\r\n"), "")).await;
        let client = client(names(), &[first.address.to_string()]);
        assert_eq!(call(&client, &first.url("/")).await, Ok(302), "not followed unless asked");
        let asked = |url: Target| client.send(Request::get("test", url).redirects(3));
        let foreign = asked(Target::foreign(&first.url("/")).unwrap()).await;
        assert!(
            matches!(foreign, Err(Error::Refused { .. } | Error::Url(_) | Error::Redirect(_))),
            "{target}: {foreign:?}"
        );
        // The operator trusts the first host, not what it says.
        let configured = asked(Target::configured(&first.url("/")).unwrap()).await;
        assert!(configured.is_err(), "{target}: {configured:?}");
    }
    assert_eq!(own.connections(), 0);
}

#[tokio::test]
async fn a04_what_the_operator_writes_down_may_be_local_and_is_never_lent_to_strangers() {
    let own = Server::start(|_, _| ok("fine")).await;
    let client = Client::default();
    let configured = Request::get("test", Target::configured(&own.url("/a")).unwrap());
    assert_eq!(client.send(configured).await.unwrap().status, 200);
    // The connection that is kept now is not used for a stranger's URL.
    assert!(matches!(call(&client, &own.url("/b")).await, Err(Error::Refused { .. })));
    assert_eq!((own.connections(), own.heads().len()), (1, 1));
    for url in
        ["http://169.254.169.254/", "http://[fe80::1]/", "http://0.0.0.0/", "http://[::ffff:127.0.0.1]/"]
    {
        let outcome = client.send(Request::get("test", Target::configured(url).unwrap())).await;
        assert!(matches!(outcome, Err(Error::Refused { .. })), "{url}: {outcome:?}");
    }
}

#[tokio::test]
async fn a04_what_is_listed_is_reached_and_nothing_beside_it() {
    let (listed, other) = (Server::start(|_, _| ok("a")).await, Server::start(|_, _| ok("b")).await);
    let client = client(names(), &[format!("localhost:{}", listed.address.port())]);
    let at = |server: &Server, host: &str| format!("http://{host}:{}/", server.address.port());
    assert_eq!(call(&client, &at(&listed, "localhost")).await, Ok(200));
    assert_eq!(call(&client, &at(&listed, "LOCALHOST.")).await, Ok(200));
    for url in [at(&other, "localhost"), at(&listed, "127.0.0.1"), at(&listed, "private.test")] {
        assert!(matches!(call(&client, &url).await, Err(Error::Refused { .. })), "{url}");
    }
}

#[tokio::test]
async fn a_refusal_tells_nothing_of_what_is_there() {
    let own = Server::start(|_, _| ok("secret")).await;
    let client = client(names(), &[]);
    let open = call(&client, &format!("http://private.test:{}/", own.address.port())).await.unwrap_err();
    let shown = open.to_string();
    assert!(!shown.contains("10.1.2.3"), "{shown}");
    let closed = call(&client, "http://private.test/").await.unwrap_err().to_string();
    assert_eq!(closed.replace(":80 ", " "), shown.replace(&format!(":{} ", own.address.port()), " "));
}
