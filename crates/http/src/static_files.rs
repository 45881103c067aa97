//! A folder of public files: pages of an example, a favicon. Small on purpose: files are read whole, nothing is
//! listed, and nothing outside the folder or starting with a dot is ever served, whichever way it is named.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use bedplate_core::Problem;
use bedplate_core::problem::{METHOD_NOT_ALLOWED, NOT_FOUND};
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, LOCATION, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::etag;
use crate::handler::Handler;
use crate::request::{Request, RequestContext};
use crate::response::Response;

/// Larger files belong into a bucket.
const MAX_BYTES: u64 = 16 << 20;

/// Serves a folder; mount it as a front door.
#[derive(Debug)]
pub struct StaticFiles {
    root: PathBuf,
}

struct File {
    content: Vec<u8>,
    modified: SystemTime,
}

enum Found {
    File(File),
    /// A folder named without its slash: relative links in its page would go wrong.
    Folder,
}

impl StaticFiles {
    /// `root` must be a folder that exists.
    pub fn new(root: &Path) -> io::Result<Self> {
        let root = root.canonicalize()?;
        if !root.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, "the public folder is not a folder"));
        }
        Ok(Self { root })
    }
}

/// The path below the folder that a request names.
fn resolve(request: &Request) -> Result<PathBuf, Problem> {
    let mut path = PathBuf::new();
    for segment in request.segments()? {
        // One plain name, as the client meant it: no `..`, no drive, no separator from an escape, no dotfile.
        let mut parts = Path::new(segment.as_ref()).components();
        let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == segment.as_ref());
        if segment.is_empty() {
            continue;
        }
        if !plain || segment.starts_with('.') || segment.contains('\\') {
            return Err(Problem::new(&NOT_FOUND));
        }
        path.push(segment.as_ref());
    }
    Ok(path)
}

impl Handler for StaticFiles {
    async fn handle(&self, _context: RequestContext, request: Request) -> Result<Response, Problem> {
        if request.method == Method::OPTIONS {
            return Ok(Response::empty(StatusCode::NO_CONTENT)
                .header(http::header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS")));
        }
        if request.method != Method::GET && request.method != Method::HEAD {
            return Err(Problem::new(&METHOD_NOT_ALLOWED).header("allow", "GET, HEAD, OPTIONS"));
        }
        let relative = resolve(&request)?;
        let as_folder = request.path().ends_with('/') || relative.as_os_str().is_empty();
        let (root, wanted) = (self.root.clone(), relative.clone());
        let read = tokio::task::spawn_blocking(move || read(&root, &wanted, as_folder)).await;
        let found =
            read.map_err(|error| Problem::internal_error("reading a static file").caused_by(error))?;
        match found {
            Ok(Found::File(file)) => {
                let name = if as_folder { Path::new("index.html") } else { relative.as_path() };
                Ok(respond(name, file, &request.headers))
            }
            Ok(Found::Folder) => Ok(to_folder(&request)),
            Err(error) if is_absence(&error) => Err(Problem::new(&NOT_FOUND)),
            Err(error) => Err(Problem::internal_error("reading a static file").caused_by(error)),
        }
    }
}

/// Reads a file under `root`. Links are followed only where they stay inside.
fn read(root: &Path, relative: &Path, as_folder: bool) -> io::Result<Found> {
    let mut path = root.join(relative);
    if as_folder {
        path.push("index.html");
    }
    let real = path.canonicalize()?;
    let inside = real.strip_prefix(root).map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
    // A link may also lead to a dotfile inside.
    let hidden = inside.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."));
    let data = std::fs::metadata(&real)?;
    if data.is_dir() && !as_folder && real.join("index.html").is_file() && !hidden {
        return Ok(Found::Folder);
    }
    if hidden || !data.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if data.len() > MAX_BYTES {
        return Err(io::Error::other("a file in the public folder has more than 16 MiB"));
    }
    let modified = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(Found::File(File { content: std::fs::read(&real)?, modified }))
}

fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename | InvalidInput)
}

fn to_folder(request: &Request) -> Response {
    let mut response = Response::empty(StatusCode::PERMANENT_REDIRECT);
    // The path starts with one slash and was found under the root: it cannot name another host.
    if let Ok(location) = HeaderValue::try_from(format!("/{}/", request.path().trim_matches('/'))) {
        response.headers.insert(LOCATION, location);
    }
    response
}

fn respond(name: &Path, file: File, asked: &HeaderMap) -> Response {
    let tag = tag(&file.content);
    let modified = httpdate::fmt_http_date(file.modified);
    let mut response = if is_unchanged(asked, &tag, file.modified) {
        Response::empty(StatusCode::NOT_MODIFIED)
    } else {
        Response::typed(StatusCode::OK, content_type(name), Bytes::from(file.content))
    };
    let headers = &mut response.headers;
    for (name, value) in [(ETAG, tag), (LAST_MODIFIED, modified)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if headers.get(CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"text/html")) {
        headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
        // What frame-ancestors says, for who does not know it.
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    response
}

/// Scripts of the page's own files (none inline), styles, calls to its own origin; nothing from elsewhere, no framing.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self'; img-src 'self' data:; \
     object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
);

/// RFC 9110 §13.2.2: `If-None-Match` alone counts where it is present.
fn is_unchanged(asked: &HeaderMap, tag: &str, modified: SystemTime) -> bool {
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
    if let Some(list) = asked.get(IF_NONE_MATCH) {
        return text(list).is_some_and(|list| etag::matches_weakly(&list, tag));
    }
    let since =
        asked.get(IF_MODIFIED_SINCE).and_then(text).and_then(|date| httpdate::parse_http_date(&date).ok());
    // HTTP dates have whole seconds.
    since.is_some_and(|since| modified <= since + std::time::Duration::from_millis(999))
}

fn tag(content: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    use std::fmt::Write;
    let digest = Sha256::digest(content);
    let mut tag = String::with_capacity(34);
    tag.push('"');
    for byte in &digest[..16] {
        // Writing to a String cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

fn content_type(name: &Path) -> &'static str {
    let extension = name.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "xml" => "application/xml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}
