//! The five loads, as pgbench scripts and as HTTP requests that ask for the same.

use std::fmt;

/// Rows made by `sql/data.sql`.
const POSTS: u64 = 100_000;
/// Every so many users one is not active, and so hidden by the policy; a load by key asks for the others.
const GROUP: u64 = 50;
const GROUPS: u64 = 10_000 / GROUP;
/// Lists that begin here are full.
const LAST_START: u64 = POSTS - 200;
/// The user that every request is made as.
pub const SUBJECT: u64 = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// One row by primary key.
    #[value(name = "a")]
    ByKey,
    /// 20 rows by keyset.
    #[value(name = "b")]
    Keyset,
    /// 100 rows.
    #[value(name = "c")]
    Hundred,
    /// Insert one row and answer it.
    #[value(name = "d")]
    Insert,
    /// 20 rows with their authors.
    #[value(name = "e")]
    Embed,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByKey => "a",
            Self::Keyset => "b",
            Self::Hundred => "c",
            Self::Insert => "d",
            Self::Embed => "e",
        })
    }
}

/// Whose conventions a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    /// `/api/v1`.
    Native,
    /// PostgREST's dialect at `/rest/v1`.
    Rest,
    /// The same at the root.
    Postgrest,
}

const POST: &str = "id, author_id, title, body, published, created_at";

impl Workload {
    pub const ALL: [Self; 5] = [Self::ByKey, Self::Keyset, Self::Hundred, Self::Insert, Self::Embed];

    pub fn title(self) -> &'static str {
        match self {
            Self::ByKey => "one by key",
            Self::Keyset => "20 by keyset",
            Self::Hundred => "100 rows",
            Self::Insert => "insert",
            Self::Embed => "20 with author",
        }
    }

    /// pgbench: a random number for `:n`, and the statement that uses it.
    pub fn script(self) -> (String, String) {
        let rows = |limit| format!("select {POST} from public.posts where id > :n order by id limit {limit}");
        let statement = match self {
            Self::ByKey => "select id, email, name, active, age, balance, score, profile, created_at \
                            from public.users where id = :n"
                .to_owned(),
            Self::Keyset => rows(20),
            Self::Hundred => rows(100),
            Self::Insert => format!(
                "insert into public.posts (author_id, title, body) values ({SUBJECT}, 'A new post', \
                 rpad('Text of post ' || :n::text, 300, 'lorem ipsum ')) returning {POST}"
            ),
            Self::Embed => "select p.id, p.title, p.body, u.id, u.name from public.posts p \
                            left join public.users u on u.id = p.author_id where p.id > :n order by p.id limit 20"
                .to_owned(),
        };
        let random = match self {
            Self::ByKey => format!("random(0, {}) * {GROUP} + random(1, {})", GROUPS - 1, GROUP - 1),
            _ => format!("random(1, {LAST_START})"),
        };
        (format!("\\set n {random}"), statement)
    }

    fn number(self, random: u64) -> u64 {
        match self {
            Self::ByKey => random % GROUPS * GROUP + 1 + random / GROUPS % (GROUP - 1),
            _ => 1 + random % LAST_START,
        }
    }

    /// One HTTP/1.1 request; `random` chooses the row.
    pub fn request(self, dialect: Dialect, host: &str, token: &str, random: u64, out: &mut Vec<u8>) {
        use std::io::Write as _;
        let n = self.number(random);
        let target = self.target(dialect, n);
        let method = if self == Self::Insert { "POST" } else { "GET" };
        out.clear();
        // Writing to a Vec cannot fail.
        let _ = write!(
            out,
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n"
        );
        if self == Self::Insert {
            let text = "lorem ipsum ".repeat(24);
            let body =
                format!(r#"{{"author_id":{SUBJECT},"title":"A new post","body":"Text of post {n} {text}"}}"#);
            let prefer = if dialect == Dialect::Native { "" } else { "Prefer: return=representation\r\n" };
            let length = body.len();
            let _ = write!(
                out,
                "{prefer}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            );
        } else {
            out.extend_from_slice(b"\r\n");
        }
    }

    fn target(self, dialect: Dialect, n: u64) -> String {
        if dialect == Dialect::Native {
            return match self {
                Self::ByKey => format!("/api/v1/users/{n}"),
                Self::Keyset => format!("/api/v1/posts?after_id={n}&limit=20"),
                Self::Hundred => format!("/api/v1/posts?after_id={n}&limit=100"),
                Self::Insert => "/api/v1/posts".to_owned(),
                Self::Embed => {
                    format!("/api/v1/posts?select=id,title,body,author:users(id,name)&after_id={n}&limit=20")
                }
            };
        }
        let prefix = if dialect == Dialect::Rest { "/rest/v1" } else { "" };
        match self {
            Self::ByKey => format!("{prefix}/users?id=eq.{n}"),
            Self::Keyset => format!("{prefix}/posts?id=gt.{n}&order=id&limit=20"),
            Self::Hundred => format!("{prefix}/posts?id=gt.{n}&order=id&limit=100"),
            Self::Insert => format!("{prefix}/posts"),
            Self::Embed => {
                format!(
                    "{prefix}/posts?select=id,title,body,author:users(id,name)&id=gt.{n}&order=id&limit=20"
                )
            }
        }
    }
}
