//! The project's keys: from the settings where they are set, else from the keys folder, where they are made at the
//! first start. Nothing is printed; `bedplate keys` shows them.
//!
//! A key is a file of mode 600 in a folder of mode 700, named so that `secret("JWT_SECRET")` finds it. Its
//! predecessor after a rotation is `NAME.previous`, and stays valid beside it.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bedplate_auth::mint;
use bedplate_core::{Problem, Secret};
use bedplate_settings::{KeyOrigin, Loaded};
use sha2::{Digest, Sha256};

bedplate_core::codes! {
    /// A key file cannot be used.
    KEYS_UNUSABLE = "keys_unusable", 500, Server, "The project's keys cannot be used", final;
}

/// Which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Shared secret of HS256 tokens.
    Jwt,
    /// Private key of ES256 tokens.
    Signing,
    Publishable,
    Secret,
    Cursor,
}

impl Key {
    pub const ALL: [Self; 5] = [Self::Jwt, Self::Signing, Self::Publishable, Self::Secret, Self::Cursor];

    /// File name, and the name for `secret("…")`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jwt => "JWT_SECRET",
            Self::Signing => "SIGNING_KEY",
            Self::Publishable => "PUBLISHABLE_KEY",
            Self::Secret => "SECRET_KEY",
            Self::Cursor => "CURSOR_KEY",
        }
    }

    /// The setting that takes its place.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Jwt => "auth.jwt_secret",
            Self::Signing => "auth.signing_key",
            Self::Publishable => "auth.publishable_key",
            Self::Secret => "auth.secret_key",
            Self::Cursor => "api.cursor_key",
        }
    }

    /// A fresh random one.
    pub fn generate(self) -> Result<Secret, Problem> {
        match self {
            Self::Jwt => Ok(random_text::<48>()),
            Self::Cursor => Ok(random_text::<32>()),
            Self::Signing => mint::generate_es256(),
            Self::Publishable => Ok(opaque_key("sb_publishable_")),
            Self::Secret => Ok(opaque_key("sb_secret_")),
        }
    }

    fn set_in(self, loaded: &Loaded) -> Option<&Secret> {
        let auth = &loaded.settings.auth;
        match self {
            Self::Jwt => auth.jwt_secret.as_ref(),
            Self::Signing => auth.signing_key.as_ref(),
            Self::Publishable => auth.publishable_key.as_ref(),
            Self::Secret => auth.secret_key.as_ref(),
            Self::Cursor => loaded.settings.api.cursor_key.as_ref(),
        }
    }
}

/// A key that is in use, and the one it followed, which is still accepted.
#[derive(Debug, Clone)]
pub struct Held {
    pub current: Secret,
    pub previous: Option<Secret>,
}

/// All keys of the project.
#[derive(Debug, Clone)]
pub struct Keys {
    held: BTreeMap<Key, Held>,
    /// Where those come from that are not set in the settings.
    pub origin: KeyOrigin,
}

impl Keys {
    /// The keys as they are; those that are nowhere are made and stored first.
    pub fn load_or_create(loaded: &Loaded) -> Result<Self, Problem> {
        let dir = loaded.keys_dir();
        let mut held = BTreeMap::new();
        for key in Key::ALL {
            let entry = match key.set_in(loaded) {
                Some(secret) => Held { current: secret.clone(), previous: None },
                None => {
                    prepare_folder(loaded)?;
                    let path = dir.join(key.name());
                    let current = match read(&path)? {
                        Some(secret) => secret,
                        None => create(&path, &key.generate()?)?,
                    };
                    Held { current, previous: read(&previous_path(&path))? }
                }
            };
            held.insert(key, entry);
        }
        Ok(Self { held, origin: origin(loaded)? })
    }

    pub fn get(&self, key: Key) -> &Held {
        &self.held[&key]
    }
}

/// Where the stored keys come from, without making any.
pub fn origin(loaded: &Loaded) -> Result<KeyOrigin, Problem> {
    match read(&loaded.keys_dir().join(ORIGIN))?.as_ref().map(Secret::expose) {
        Some("production") => Ok(KeyOrigin::Production),
        Some(_) => Ok(KeyOrigin::Development),
        None => Ok(KeyOrigin::None),
    }
}

/// Says for which kind of environment the keys of the folder were made.
const ORIGIN: &str = "origin";

fn origin_text(loaded: &Loaded) -> Secret {
    Secret::new(if loaded.is_development() { "development" } else { "production" })
}

/// Makes new keys. The old ones stay valid beside them unless `revoke`; development keys never do when the new
/// ones are for production.
pub fn rotate(loaded: &Loaded, keys: &[Key], revoke: bool) -> Result<(), Problem> {
    prepare_folder(loaded)?;
    let dir = loaded.keys_dir();
    let promoted = !loaded.is_development() && origin(loaded)? == KeyOrigin::Development;
    // Left-over development keys would keep the whole folder a development one.
    let keys = if promoted { &Key::ALL[..] } else { keys };
    for key in keys {
        let path = dir.join(key.name());
        let previous = previous_path(&path);
        match read(&path)? {
            Some(old) if !revoke && !promoted => replace(&previous, &old)?,
            _ => remove(&previous)?,
        }
        replace(&path, &key.generate()?)?;
    }
    replace(&dir.join(ORIGIN), &origin_text(loaded))
}

/// Key files that other users of this machine could read, with their modes.
pub fn exposed_files(loaded: &Loaded) -> Result<Vec<(PathBuf, u32)>, Problem> {
    let dir = loaded.keys_dir();
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unusable("read", &dir, &error)),
    };
    let mut exposed = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()).chain([dir.clone()]) {
        let mode =
            fs::metadata(&path).map_err(|e| unusable("look at", &path, &e))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            exposed.push((path, mode));
        }
    }
    Ok(exposed)
}

/// The id of an ES256 key: its thumbprint (RFC 7638), so that every server calls the same key the same.
pub fn key_id(pkcs8: &Secret) -> Result<String, Problem> {
    let jwk = mint::public_jwk("", pkcs8)?;
    let member = |value: &Option<String>| value.clone().unwrap_or_default();
    // RFC 7638 §3.2: the required members in lexical order, without blanks.
    let canonical =
        format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, member(&jwk.x), member(&jwk.y));
    Ok(URL_SAFE_NO_PAD.encode(Sha256::digest(canonical)))
}

/// Supabase's legacy keys: an HS256 token that says no more than the role.
pub fn legacy_key(jwt_secret: &Secret, role: &str, issued_at: i64) -> Result<String, Problem> {
    let ten_years = 10 * 365 * 86_400;
    mint::SigningKey::hs256(jwt_secret).sign(&serde_json::json!({
        "role": role, "iss": "bedplate", "iat": issued_at, "exp": issued_at + ten_years,
    }))
}

fn random_text<const BYTES: usize>() -> Secret {
    let mut bytes = [0u8; BYTES];
    rand::fill(&mut bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

/// `<prefix><22 random>_<8 check>`: 132 random bits, and a check sum by which a mistyped or cut key is recognised
/// without asking anybody. The shape is that of Supabase's keys, so that scanners for leaked keys find ours.
fn opaque_key(prefix: &str) -> Secret {
    let mut bytes = [0u8; 17];
    rand::fill(&mut bytes);
    let body = format!("{prefix}{}", &URL_SAFE_NO_PAD.encode(bytes)[..22]);
    let check = check_sum(&body);
    Secret::new(format!("{body}_{check}"))
}

fn check_sum(body: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("bedplate|{body}")))[..8].to_owned()
}

fn previous_path(path: &Path) -> PathBuf {
    path.with_extension("previous")
}

fn unusable(action: &str, path: &Path, error: &io::Error) -> Problem {
    Problem::new(&KEYS_UNUSABLE)
        .internal(format!("cannot {action} {}: {error}", path.display()))
        .hint(format!("check who owns the keys folder: ls -la {}", path.parent().unwrap_or(path).display()))
}

/// The keys folder, closed to others, in a state folder that git ignores.
fn prepare_folder(loaded: &Loaded) -> Result<(), Problem> {
    let (state, dir) = (loaded.state_dir(), loaded.keys_dir());
    let fault = |path: &Path| {
        let path = path.to_path_buf();
        move |error: io::Error| unusable("make", &path, &error)
    };
    fs::create_dir_all(&state).map_err(fault(&state))?;
    let ignore = state.join(".gitignore");
    if !ignore.exists() {
        fs::write(&ignore, "*\n").map_err(fault(&ignore))?;
    }
    match DirBuilder::new().mode(0o700).create(&dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(unusable("make", &dir, &error)),
    }
    if !dir.join(ORIGIN).exists() {
        create(&dir.join(ORIGIN), &origin_text(loaded))?;
    }
    Ok(())
}

/// The contents of a key file; `None` when there is none. A file that other users can read is refused: it may
/// already be known.
fn read(path: &Path) -> Result<Option<Secret>, Problem> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable("look at", path, &error)),
    };
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err(Problem::new(&KEYS_UNUSABLE)
            .internal(format!("every user of this machine can read {}", path.display()))
            .hint(format!("chmod 600 {}, then make a new key: bedplate keys rotate", path.display())));
    }
    let text = fs::read_to_string(path).map_err(|error| unusable("read", path, &error))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(Problem::new(&KEYS_UNUSABLE)
            .internal(format!("{} is empty", path.display()))
            .hint(format!("remove it, and a new key is made at the next start: rm {}", path.display())));
    }
    Ok(Some(Secret::new(text)))
}

/// Stores a new key unless somebody was faster; the stored one is returned. Linking a complete file into place is
/// atomic, so nobody ever reads a half-written key.
fn create(path: &Path, secret: &Secret) -> Result<Secret, Problem> {
    let fresh = write_beside(path, secret)?;
    let linked = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh).map_err(|error| unusable("remove", &fresh, &error))?;
    match linked {
        Ok(()) => {
            sync_folder(path)?;
            Ok(secret.clone())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(path)?.ok_or_else(|| unusable("read", path, &error))
        }
        Err(error) => Err(unusable("make", path, &error)),
    }
}

fn replace(path: &Path, secret: &Secret) -> Result<(), Problem> {
    let fresh = write_beside(path, secret)?;
    fs::rename(&fresh, path).map_err(|error| unusable("replace", path, &error))?;
    sync_folder(path)
}

fn remove(path: &Path) -> Result<(), Problem> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable("remove", path, &error)),
        _ => Ok(()),
    }
}

/// A complete, synced file of mode 600 with a name of its own in the same folder.
fn write_beside(path: &Path, secret: &Secret) -> Result<PathBuf, Problem> {
    let fresh = path.with_extension(format!("new-{:016x}", rand::random::<u64>()));
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(secret.expose().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    };
    write().map_err(|error| {
        // The fault of writing is the one to report.
        let _ = fs::remove_file(&fresh);
        unusable("write", path, &error)
    })?;
    Ok(fresh)
}

fn sync_folder(path: &Path) -> Result<(), Problem> {
    let folder = path.parent().unwrap_or(path);
    File::open(folder).and_then(|f| f.sync_all()).map_err(|error| unusable("sync", folder, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_settings::{Environment, Settings, Source};

    fn loaded(dir: &Path, env_name: &str, variables: &[(&str, &str)]) -> Loaded {
        let environment = Environment::from_pairs(variables.iter().copied());
        let source =
            Source { dir: dir.to_owned(), env_name: env_name.into(), environment, overrides: Vec::new() };
        Settings::load(&source).unwrap()
    }

    #[test]
    fn keys_are_made_once_private_and_differ() {
        let dir = tempfile::tempdir().unwrap();
        let loaded = loaded(dir.path(), "development", &[]);
        let first = Keys::load_or_create(&loaded).unwrap();
        let second = Keys::load_or_create(&loaded).unwrap();
        let mut texts: Vec<_> = Key::ALL.iter().map(|k| first.get(*k).current.expose().to_owned()).collect();
        for key in Key::ALL {
            assert_eq!(first.get(key).current, second.get(key).current);
            let mode = fs::metadata(loaded.keys_dir().join(key.name())).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), 5);
        assert_eq!(fs::metadata(loaded.keys_dir()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_to_string(dir.path().join(".bedplate/.gitignore")).unwrap(), "*\n");
        assert_eq!(first.origin, KeyOrigin::Development);
        assert!(exposed_files(&loaded).unwrap().is_empty());
        let files = fs::read_dir(loaded.keys_dir()).unwrap().count();
        assert_eq!(files, 6, "five keys, their origin, and no left-over file");
    }

    #[test]
    fn many_starts_at_once_agree_on_the_keys() {
        let dir = tempfile::tempdir().unwrap();
        let loaded = loaded(dir.path(), "development", &[]);
        let made: Vec<String> = std::thread::scope(|scope| {
            let starts: Vec<_> =
                (0..8).map(|_| scope.spawn(|| Keys::load_or_create(&loaded).unwrap())).collect();
            let keys = starts.into_iter().map(|start| start.join().unwrap());
            keys.map(|k| k.get(Key::Jwt).current.expose().to_owned()).collect()
        });
        assert!(made.iter().all(|secret| *secret == made[0]));
    }

    #[test]
    fn opaque_keys_have_the_known_shape_and_a_check_sum() {
        for (key, prefix) in [(Key::Publishable, "sb_publishable_"), (Key::Secret, "sb_secret_")] {
            let text = key.generate().unwrap();
            let rest = text.expose().strip_prefix(prefix).unwrap();
            assert_eq!(rest.len(), 31);
            assert_eq!(&rest[22..23], "_");
            assert_eq!(check_sum(&text.expose()[..prefix.len() + 22]), rest[23..]);
        }
    }

    #[test]
    fn rotation_keeps_the_previous_key_and_revoking_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let loaded = loaded(dir.path(), "development", &[]);
        let before = Keys::load_or_create(&loaded).unwrap();
        rotate(&loaded, &[Key::Jwt], false).unwrap();
        let after = Keys::load_or_create(&loaded).unwrap();
        assert_ne!(after.get(Key::Jwt).current, before.get(Key::Jwt).current);
        assert_eq!(after.get(Key::Jwt).previous.as_ref(), Some(&before.get(Key::Jwt).current));
        assert_eq!(after.get(Key::Secret).current, before.get(Key::Secret).current);
        rotate(&loaded, &[Key::Jwt], true).unwrap();
        assert_eq!(Keys::load_or_create(&loaded).unwrap().get(Key::Jwt).previous, None);
    }

    #[test]
    fn development_keys_do_not_survive_the_way_to_production() {
        let dir = tempfile::tempdir().unwrap();
        let before = Keys::load_or_create(&loaded(dir.path(), "development", &[])).unwrap();
        let production = loaded(dir.path(), "production", &[]);
        assert_eq!(origin(&production).unwrap(), KeyOrigin::Development);
        rotate(&production, &[Key::Publishable], false).unwrap();
        let after = Keys::load_or_create(&production).unwrap();
        assert_eq!(after.origin, KeyOrigin::Production);
        for key in Key::ALL {
            assert_ne!(after.get(key).current, before.get(key).current);
            assert_eq!(after.get(key).previous, None);
        }
    }

    #[test]
    fn keys_of_the_settings_win_and_need_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        let secret = "0123456789abcdef0123456789abcdef";
        let names = [
            "AUTH__JWT_SECRET",
            "AUTH__SIGNING_KEY",
            "AUTH__PUBLISHABLE_KEY",
            "AUTH__SECRET_KEY",
            "API__CURSOR_KEY",
        ]
        .map(|name| format!("BEDPLATE_{name}"));
        let pairs: Vec<_> = names.iter().map(|name| (name.as_str(), secret)).collect();
        let keys = Keys::load_or_create(&loaded(dir.path(), "production", &pairs)).unwrap();
        assert_eq!(keys.get(Key::Cursor).current.expose(), secret);
        assert_eq!(keys.origin, KeyOrigin::None);
        assert!(!dir.path().join(".bedplate").exists());
    }

    #[test]
    fn a_key_that_everybody_can_read_or_that_is_empty_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let loaded = loaded(dir.path(), "development", &[]);
        Keys::load_or_create(&loaded).unwrap();
        let path = loaded.keys_dir().join("JWT_SECRET");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(exposed_files(&loaded).unwrap().len(), 1);
        let problem = Keys::load_or_create(&loaded).unwrap_err();
        assert!(problem.hint_text().unwrap().starts_with("chmod 600"), "{problem}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "").unwrap();
        assert!(Keys::load_or_create(&loaded).unwrap_err().to_string().contains("is empty"));
    }

    #[test]
    fn a_key_id_is_the_thumbprint_of_the_public_half() {
        let key = Key::Signing.generate().unwrap();
        let id = key_id(&key).unwrap();
        assert_eq!(id.len(), 43);
        assert_eq!(id, key_id(&key).unwrap());
        assert_ne!(id, key_id(&Key::Signing.generate().unwrap()).unwrap());
    }
}
