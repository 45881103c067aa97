//! `bedplate keys`: show, rotate, new.

use bedplate_core::{Clock, SystemClock};
use bedplate_settings::{KeyOrigin, Loaded};
use serde_json::{Value, json};

use super::args::{KeyName, KeysArgs, KeysCommand};
use super::ui::{DIM, NAME, Ui};
use super::{Context, Exit, Failure};
use crate::app::keys::{self, Key, Keys};

pub fn run(args: KeysArgs, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        None => show(args.reveal, context),
        Some(KeysCommand::Rotate { keys, revoke }) => rotate(&keys, revoke, context),
        Some(KeysCommand::New) => fresh(context),
    }
}

/// A key for the eyes of its owner.
struct Shown {
    name: &'static str,
    value: String,
    about: &'static str,
}

fn show(reveal: bool, context: &Context) -> Result<Exit, Failure> {
    let loaded = context.project("development", Vec::new())?;
    let keys = Keys::load_or_create(&loaded)?;
    let text = |key: Key| keys.get(key).current.expose().to_owned();
    let hidden = |key: Key| if reveal { text(key) } else { masked(&text(key)) };
    let mut shown = vec![
        Shown {
            name: "publishable",
            value: text(Key::Publishable),
            about: "for browsers and apps; callers are anonymous until they sign in",
        },
        Shown {
            name: "secret",
            value: hidden(Key::Secret),
            about: "for your own backend only: it passes row-level security",
        },
    ];
    if reveal {
        shown.extend(legacy(&loaded, &keys)?);
        shown.push(Shown {
            name: "jwt_secret",
            value: text(Key::Jwt),
            about: "legacy shared secret that signs HS256 tokens",
        });
    }
    context.ui.show(
        || {
            let keys: serde_json::Map<String, Value> =
                shown.iter().map(|key| (key.name.to_owned(), key.value.clone().into())).collect();
            json!({ "environment": loaded.env_name, "origin": origin_text(keys_origin(&loaded)), "keys": keys })
        },
        |ui| shown_text(ui, &shown, reveal),
    );
    Ok(Exit::Done)
}

fn keys_origin(loaded: &Loaded) -> KeyOrigin {
    keys::origin(loaded).unwrap_or(KeyOrigin::None)
}

fn origin_text(origin: KeyOrigin) -> &'static str {
    match origin {
        KeyOrigin::None => "settings",
        KeyOrigin::Development => "development",
        KeyOrigin::Production => "production",
    }
}

fn legacy(loaded: &Loaded, keys: &Keys) -> Result<Vec<Shown>, Failure> {
    let auth = &loaded.settings.auth;
    let secret = &keys.get(Key::Jwt).current;
    // The start of the year, so that the same key is shown all year.
    let now = SystemClock.unix_seconds();
    let year = time::OffsetDateTime::from_unix_timestamp(now).map_or(now, |now| {
        now.replace_ordinal(1).map_or(now, |day| day.replace_time(time::Time::MIDNIGHT)).unix_timestamp()
    });
    Ok(vec![
        Shown {
            name: "anon",
            value: keys::legacy_key(secret, &auth.anon_role, year)?,
            about: "legacy publishable key (a token)",
        },
        Shown {
            name: "service_role",
            value: keys::legacy_key(secret, &auth.service_role, year)?,
            about: "legacy secret key (a token)",
        },
    ])
}

fn masked(key: &str) -> String {
    let visible =
        key.find('_').and_then(|first| key[first + 1..].find('_').map(|next| first + next + 2)).unwrap_or(0);
    format!("{}{}", &key[..visible], "•".repeat(8))
}

fn shown_text(ui: &Ui, shown: &[Shown], reveal: bool) -> String {
    let width = shown.iter().map(|key| key.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for key in shown {
        let name = ui.paint(NAME, format!("{:width$}", key.name));
        let about = ui.paint(DIM, key.about);
        text.push_str(&format!("{name}  {}\n{:width$}  {about}\n", key.value, ""));
    }
    if !reveal {
        text.push_str("\nbedplate keys --reveal shows the secret ones.");
    }
    text
}

fn rotate(names: &[KeyName], revoke: bool, context: &Context) -> Result<Exit, Failure> {
    let loaded = context.project("development", Vec::new())?;
    let chosen: Vec<Key> =
        if names.is_empty() { Key::ALL.to_vec() } else { names.iter().map(|name| key_of(*name)).collect() };
    let set: Vec<&str> = chosen
        .iter()
        .map(|key| key.setting())
        .filter(|setting| loaded.origin(setting) != bedplate_settings::Origin::Default)
        .collect();
    if !set.is_empty() {
        return Err(Failure::new(
            Exit::Configuration,
            "keys_in_settings",
            format!(
                "{} is set in the configuration, and a new key in the folder would not be used",
                set.join(", ")
            ),
            "make values with `bedplate keys new` and change them where they are set",
        ));
    }
    keys::rotate(&loaded, &chosen, revoke)?;
    let after = if revoke { "the old ones end" } else { "the old ones stay valid until the next rotation" };
    context.ui.show(
        || json!({ "rotated": chosen.iter().map(|key| key.name()).collect::<Vec<_>>(), "revoked": revoke }),
        |_| {
            let names: Vec<_> = chosen.iter().map(|key| key.name()).collect();
            format!("new: {}\nThey are used from the next start on; {after}.", names.join(", "))
        },
    );
    Ok(Exit::Done)
}

fn key_of(name: KeyName) -> Key {
    match name {
        KeyName::Publishable => Key::Publishable,
        KeyName::Secret => Key::Secret,
        KeyName::Jwt => Key::Jwt,
        KeyName::Signing => Key::Signing,
        KeyName::Cursor => Key::Cursor,
    }
}

fn fresh(context: &Context) -> Result<Exit, Failure> {
    let mut made = Vec::new();
    for key in Key::ALL {
        made.push((key, key.generate()?));
    }
    let variable = |key: Key| format!("BEDPLATE_{}", key.setting().replace('.', "__").to_ascii_uppercase());
    let lines: Vec<_> =
        made.iter().map(|(key, secret)| format!("{}={}", variable(*key), secret.expose())).collect();
    context.ui.show_raw(
        || made.iter().map(|(key, secret)| (variable(*key), Value::from(secret.expose()))).collect(),
        &lines.join("\n"),
    );
    Ok(Exit::Done)
}
