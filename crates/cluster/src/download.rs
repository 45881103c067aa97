//! Server binaries from the network: only from a source that was configured, only with consent, and only when the
//! archive has the pinned SHA-256.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::{fmt, fs};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::binaries::{Binaries, Version};
use crate::error::Error;
use crate::event::{Event, Events};
use crate::layout::{hex, make_open};
use crate::options::Options;

/// Redirects that are followed; release pages need one or two.
const HOPS: usize = 5;
/// Larger than any build of PostgreSQL; ends a download that never would.
const LARGEST: u64 = 1 << 30;
/// The network may be slow, but not silent for longer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Whether and from where binaries may be downloaded.
#[derive(Debug, Clone, Default)]
pub struct Download {
    pub consent: Consent,
    /// `None`: there is nothing to download from.
    pub source: Option<Source>,
}

/// Who agrees to a download.
#[derive(Clone, Default)]
pub enum Consent {
    /// Nobody.
    #[default]
    Never,
    /// The callback, which may ask the user. Called from a blocking thread.
    Ask(Arc<dyn Fn(&Offer) -> bool + Send + Sync>),
    /// It was agreed to beforehand.
    Yes,
}

impl fmt::Debug for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "Never",
            Self::Ask(_) => "Ask",
            Self::Yes => "Yes",
        })
    }
}

/// What would be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub version: String,
    pub url: String,
}

/// One pinned archive. It holds `bin/postgres`, `bin/initdb` and what they need, at its top or in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Address of a `.tar`, `.tar.gz`, `.tar.xz` or `.tar.zst`; `{version}`, `{os}` and `{arch}` are filled in
    /// (`linux`/`macos`, `x86_64`/`aarch64`).
    pub url: String,
    /// Exact version, for example `18.4`.
    pub version: String,
    /// SHA-256 of the archive for this platform, in hexadecimal.
    pub sha256: String,
}

impl Source {
    fn address(&self) -> String {
        let url = self.url.replace("{version}", &self.version);
        url.replace("{os}", std::env::consts::OS).replace("{arch}", std::env::consts::ARCH)
    }
}

/// The source, when one may be used for data of `major`; else why not, as a clause.
pub(crate) fn suitable(options: &Options, major: Option<u32>) -> Result<&Source, String> {
    let Some(source) = &options.download.source else {
        return Err(", and no download source is set".to_owned());
    };
    let version = Version::parse(&source.version);
    let version =
        version.ok_or_else(|| format!(", and the download's version `{}` is not one", source.version))?;
    if source.sha256.len() != 64 || !source.sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(", and the download has no SHA-256 of 64 hexadecimal digits".to_owned());
    }
    if source.version.contains('/') {
        return Err(format!(", and the download's version `{}` is not one", source.version));
    }
    let is_right = major.map_or(version.major >= crate::OLDEST_MAJOR, |major| major == version.major);
    if !is_right {
        return Err(format!(", and the download is version {}", source.version));
    }
    if options.cache_dir.is_none() {
        return Err(", and there is no cache folder to download to".to_owned());
    }
    if matches!(options.download.consent, Consent::Never) {
        return Err(", and downloading is not allowed".to_owned());
    }
    Ok(source)
}

/// Downloads, verifies and unpacks the source into the cache.
pub(crate) async fn fetch(
    options: &Options,
    source: &Source,
    install: String,
    events: &Events,
) -> Result<Binaries, Error> {
    let url = source.address();
    if !is_agreed(&options.download.consent, Offer { version: source.version.clone(), url: url.clone() })
        .await
    {
        return Err(Error::DownloadRefused { version: source.version.clone(), install });
    }
    let base = options.cache_dir.as_deref().unwrap_or(Path::new(".")).join("pg-bin");
    let target = base.join(&source.version);
    // Unique for this process; hidden, so that a search never takes it for a finished one.
    let work = base.join(format!(".new-{}-{}", source.version, std::process::id()));
    let job = Job { source, url, install, events };
    let _ = fs::remove_dir_all(&work);
    make_open(&work)?;
    let outcome = job.run(&work, &target).await;
    let _ = fs::remove_dir_all(&work);
    outcome
}

async fn is_agreed(consent: &Consent, offer: Offer) -> bool {
    match consent {
        Consent::Never => false,
        Consent::Yes => true,
        Consent::Ask(ask) => {
            let ask = Arc::clone(ask);
            tokio::task::spawn_blocking(move || ask(&offer)).await.unwrap_or(false)
        }
    }
}

struct Job<'a> {
    source: &'a Source,
    url: String,
    install: String,
    events: &'a Events,
}

impl Job<'_> {
    async fn run(&self, work: &Path, target: &Path) -> Result<Binaries, Error> {
        let archive = work.join("archive");
        let found = self.receive(&archive).await?;
        let expected = self.source.sha256.to_ascii_lowercase();
        if found != expected {
            return Err(Error::HashMismatch { url: self.url.clone(), expected, found });
        }
        self.events.send(Event::Unpacking { version: self.source.version.clone() });
        let tree = work.join("tree");
        let unpacked = tokio::task::spawn_blocking(move || unpack(&archive, &tree)).await;
        let root = unpacked.unwrap_or_else(|error| Err(error.to_string())).map_err(|why| self.failed(why))?;
        let binaries = Binaries::inspect(&root.join("bin")).map_err(|why| self.failed(why))?;
        if Version::parse(&self.source.version) != Some(binaries.version) {
            return Err(self.failed(format!("the archive holds version {}", binaries.version)));
        }
        self.publish(&root, target)
    }

    /// Into place by a rename. Another process may have been first; then its copy of the same archive is used.
    fn publish(&self, root: &Path, target: &Path) -> Result<Binaries, Error> {
        if let Err(error) = fs::rename(root, target)
            && Binaries::inspect(&target.join("bin")).is_err()
        {
            // What is in the way is no server: an unfinished copy by hand.
            fs::remove_dir_all(target).map_err(|_| Error::io("rename", root)(error))?;
            fs::rename(root, target).map_err(Error::io("rename", root))?;
        }
        Binaries::inspect(&target.join("bin")).map_err(|why| self.failed(why))
    }

    fn failed(&self, why: impl Into<String>) -> Error {
        Error::Download { url: self.url.clone(), why: why.into(), install: self.install.clone() }
    }

    /// Streams the archive to a file; returns its hash.
    async fn receive(&self, archive: &Path) -> Result<String, Error> {
        let response = self.request().await?;
        let total = response.headers().get(http::header::CONTENT_LENGTH);
        let total: Option<u64> = total.and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = response.into_body();
        let mut file = tokio::fs::File::create(archive).await.map_err(Error::io("create", archive))?;
        let mut hash = Sha256::new();
        let (mut received, mut told) = (0, 0);
        loop {
            let frame = tokio::time::timeout(PATIENCE, body.frame()).await;
            let Some(frame) = frame.map_err(|_| self.failed("the connection fell silent"))? else { break };
            let Ok(chunk) = frame.map_err(|error| self.failed(error.to_string()))?.into_data() else {
                continue;
            };
            received += chunk.len() as u64;
            if received > LARGEST {
                return Err(self.failed("it is larger than any build of PostgreSQL"));
            }
            hash.update(&chunk);
            file.write_all(&chunk).await.map_err(Error::io("write", archive))?;
            if received - told >= 1 << 20 || told == 0 {
                told = received;
                self.events.send(Event::Downloading {
                    version: self.source.version.clone(),
                    received,
                    total,
                });
            }
        }
        file.flush().await.map_err(Error::io("write", archive))?;
        Ok(hex(&hash.finalize()))
    }

    async fn request(&self) -> Result<http::Response<Incoming>, Error> {
        let tls = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .map_err(|error| self.failed(format!("the system's certificates cannot be read: {error}")))?
            .https_or_http()
            .enable_http1()
            .build();
        let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(tls);
        let mut address: http::Uri = self.url.parse().map_err(|_| self.failed("the address is not a URL"))?;
        for _ in 0..=HOPS {
            let request = http::Request::get(address.clone())
                .header(http::header::USER_AGENT, concat!("bedplate/", env!("CARGO_PKG_VERSION")))
                .body(Empty::new())
                .map_err(|error| self.failed(error.to_string()))?;
            let answer = tokio::time::timeout(PATIENCE, client.request(request)).await;
            let response =
                answer.map_err(|_| self.failed("no answer"))?.map_err(|e| self.failed(chain(&e)))?;
            if response.status().is_success() {
                return Ok(response);
            }
            if !response.status().is_redirection() {
                return Err(self.failed(format!("the answer was {}", response.status())));
            }
            let next = response.headers().get(http::header::LOCATION).and_then(|value| value.to_str().ok());
            address = follow(&address, next.unwrap_or_default())
                .ok_or_else(|| self.failed("it redirects to an address that is not usable"))?;
        }
        Err(self.failed("it redirects too often"))
    }
}

/// The address of a redirect: absolute, or a path on the same host. Never from https down to http.
fn follow(from: &http::Uri, location: &str) -> Option<http::Uri> {
    let to: http::Uri = location.parse().ok()?;
    let to = if to.authority().is_some() {
        to
    } else {
        let mut parts = to.into_parts();
        parts.scheme = from.scheme().cloned();
        parts.authority = from.authority().cloned();
        http::Uri::from_parts(parts).ok()?
    };
    let is_downgrade = from.scheme_str() == Some("https") && to.scheme_str() != Some("https");
    (!is_downgrade).then_some(to)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Unpacks with the system's `tar`, which knows every compression that it has a program for. Returns the folder that
/// holds `bin`.
fn unpack(archive: &Path, tree: &Path) -> Result<PathBuf, String> {
    fs::create_dir(tree).map_err(|error| error.to_string())?;
    let mut tar = Command::new("tar");
    // `-o`: files belong to whoever unpacks, not to a number in the archive.
    tar.arg("-x").arg("-o").arg("-f").arg(archive).arg("-C").arg(tree).stdin(Stdio::null());
    let output = tar.output().map_err(|error| format!("`tar` cannot be run: {error}; install it"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`tar` failed: {}", said.lines().next().unwrap_or("no message")));
    }
    if tree.join("bin").is_dir() {
        return Ok(tree.to_path_buf());
    }
    let inner = fs::read_dir(tree).map_err(|error| error.to_string())?.flatten().map(|entry| entry.path());
    inner
        .into_iter()
        .find(|dir| dir.join("bin").is_dir())
        .ok_or_else(|| "the archive has no folder `bin`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_never_leaves_https() {
        let from = "https://a.test/x".parse().unwrap();
        assert_eq!(follow(&from, "/y?z=1").unwrap(), "https://a.test/y?z=1");
        assert_eq!(follow(&from, "https://b.test/y").unwrap(), "https://b.test/y");
        assert_eq!(follow(&from, "http://b.test/y"), None);
        assert_eq!(follow(&from, ""), None);
    }
}
