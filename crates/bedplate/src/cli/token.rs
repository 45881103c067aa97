//! `bedplate token --as USER`: a short-lived token of a seeded user, for development.

use std::time::Duration;

use bedplate_settings::{Loaded, format_duration, parse_duration};
use serde_json::json;

use super::args::TokenArgs;
use super::progress::{block_on, with_database};
use super::{Context, Exit, Failure};
use crate::app::keys::Keys;
use crate::app::token::Minter;
use crate::app::users::{self, User};

const LONGEST: Duration = Duration::from_hours(24);

pub fn run(args: &TokenArgs, context: &Context) -> Result<Exit, Failure> {
    let loaded = context.project("development", Vec::new())?;
    refuse_outside_development(&loaded)?;
    let lifetime = lifetime(&args.expires)?;
    let user = block_on(find_user(&args.user, &loaded, context))?;
    let keys = Keys::load_or_create(&loaded)?;
    let token = Minter::new(&loaded, &keys)?.mint_for(&user, lifetime)?;
    context.ui.show_raw(
        || json!({ "token": token, "user": user.id, "email": user.email, "expires_in": lifetime.as_secs() }),
        &token,
    );
    Ok(Exit::Done)
}

/// Whoever has the folder can sign in as anybody with this command, so it is for data that may be seen.
fn refuse_outside_development(loaded: &Loaded) -> Result<(), Failure> {
    if loaded.is_development() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Configuration,
        "token_refused",
        format!("tokens are minted in development only, not in `{}`", loaded.env_name),
        "sign in through the app; for a service, use its key: bedplate keys --reveal",
    ))
}

fn lifetime(text: &str) -> Result<Duration, Failure> {
    let fault = |message: String| {
        Failure::new(Exit::Usage, "usage", message, "write --expires 1h, with at most 24h".to_owned())
    };
    match parse_duration(text) {
        None => Err(fault(format!("--expires {text} is not a duration"))),
        Some(time) if time > LONGEST || time < Duration::from_secs(1) => {
            Err(fault(format!("--expires {} is not between 1s and 24h", format_duration(time))))
        }
        Some(time) => Ok(time),
    }
}

async fn find_user(name: &str, loaded: &Loaded, context: &Context) -> Result<User, Failure> {
    with_database(context, loaded, async |database| {
        let client = database.connect_owner().await?;
        if let Some(user) = users::find(&client, name).await? {
            return Ok(user);
        }
        let names = users::list_names(&client).await?;
        let near = bedplate_settings::nearest(name, names.iter().map(String::as_str));
        let fix = match (near, names.is_empty()) {
            (Some(near), _) => format!("did you mean --as {near}?"),
            (None, true) => "put users into seed.dev.sql and run `bedplate seed`".to_owned(),
            (None, false) => format!("use one of: {}", names.join(", ")),
        };
        Err(Failure::new(Exit::Failed, "no_such_user", format!("there is no user `{name}`"), fix))
    })
    .await
}
