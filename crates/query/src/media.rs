//! Media types, as far as the engine tells them apart: what a caller accepts, and what an answer is.

use std::sync::Arc;

/// A media type (RFC 9110 §8.3) of `Accept` or `Content-Type`, or of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Media {
    /// `*/*`
    Any,
    #[default]
    Json,
    /// `application/vnd.pgrst.array+json;nulls=stripped`: members that are null are left out.
    JsonStripped,
    /// `application/vnd.pgrst.object+json`: exactly one row, without brackets.
    Object {
        stripped: bool,
    },
    Csv,
    Text,
    Xml,
    OctetStream,
    GeoJson,
    OpenApi,
    UrlEncoded,
    /// `application/vnd.pgrst.plan`: the execution plan in place of the answer.
    Plan(Box<PlanMedia>),
    /// Everything else, as written.
    Other(Arc<str>),
}

/// Which plan: of what, in what form, and with which options of EXPLAIN.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlanMedia {
    pub of: Media,
    /// JSON, else text.
    pub json: bool,
    pub analyze: bool,
    pub verbose: bool,
    pub settings: bool,
    pub buffers: bool,
    pub wal: bool,
}

/// Which representations the caller takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Accept {
    /// JSON, whatever else the database could make.
    #[default]
    Json,
    /// The first of these that the target offers (PostgREST).
    Listed(Arc<[Media]>),
}

impl Media {
    /// Never fails: what cannot be read is [`Media::Other`]. Parameters after the first that cannot be read do not count.
    pub fn parse(text: &str) -> Self {
        let Some(tokens) = Tokens::read(text) else { return Self::Other(text.into()) };
        let kind = format!("{}/{}", tokens.kind, tokens.subtype).to_ascii_lowercase();
        let stripped = tokens.parameter("nulls") == Some("stripped");
        match kind.as_str() {
            "*/*" => Self::Any,
            "application/json" => Self::Json,
            "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" if stripped => {
                Self::JsonStripped
            }
            "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" => Self::Json,
            "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" => Self::Object { stripped },
            "application/vnd.pgrst.plan" | "application/vnd.pgrst.plan+text" => tokens.plan(false),
            "application/vnd.pgrst.plan+json" => tokens.plan(true),
            "text/csv" => Self::Csv,
            "text/plain" => Self::Text,
            "text/xml" => Self::Xml,
            "application/octet-stream" => Self::OctetStream,
            "application/geo+json" => Self::GeoJson,
            "application/openapi+json" => Self::OpenApi,
            "application/x-www-form-urlencoded" => Self::UrlEncoded,
            _ => Self::Other(text.into()),
        }
    }

    /// What a domain's name says as the type of a representation: what is accepted by it, and what the answer is. `*/*` is
    /// whatever is asked for, and bytes unless the handler says what it made.
    pub fn of_domain(name: &str) -> Option<(Self, Self)> {
        if name == "*/*" {
            return Some((Self::Any, Self::OctetStream));
        }
        let (kind, subtype) = name.split_once('/')?;
        let word = |text: &str, more: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        (word(kind, ".-") && word(subtype, ".+-"))
            .then(|| (Self::parse(&name.to_ascii_lowercase()), Self::parse(name)))
    }

    /// Without its charset.
    pub fn name(&self) -> String {
        match self {
            Self::Any => "*/*",
            Self::Json => "application/json",
            Self::JsonStripped => "application/vnd.pgrst.array+json;nulls=stripped",
            Self::Object { stripped: true } => "application/vnd.pgrst.object+json;nulls=stripped",
            Self::Object { stripped: false } => "application/vnd.pgrst.object+json",
            Self::Csv => "text/csv",
            Self::Text => "text/plain",
            Self::Xml => "text/xml",
            Self::OctetStream => "application/octet-stream",
            Self::GeoJson => "application/geo+json",
            Self::OpenApi => "application/openapi+json",
            Self::UrlEncoded => "application/x-www-form-urlencoded",
            Self::Other(text) => text,
            Self::Plan(plan) => return plan.name(),
        }
        .to_owned()
    }

    /// Whether `Content-Type` says `charset=utf-8`: of bytes and of types that are not known here nothing can be said.
    pub fn has_charset(&self) -> bool {
        !matches!(self, Self::OctetStream | Self::Other(_))
    }
}

impl PlanMedia {
    /// The options of EXPLAIN that are asked for, by their names in lower case.
    pub fn options(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.analyze, "analyze"),
            (self.verbose, "verbose"),
            (self.settings, "settings"),
            (self.buffers, "buffers"),
            (self.wal, "wal"),
        ];
        all.into_iter().filter(|(asked, _)| *asked).map(|(_, name)| name)
    }

    fn name(&self) -> String {
        let form = if self.json { "json" } else { "text" };
        let mut name = format!("application/vnd.pgrst.plan+{form}; for=\"{}\"", self.of.name());
        let options: Vec<&str> = self.options().collect();
        if !options.is_empty() {
            name.push_str("; options=");
            name.push_str(&options.join("|"));
        }
        name
    }
}

/// `type/subtype;key=value;key="value"`
struct Tokens<'t> {
    kind: &'t str,
    subtype: &'t str,
    parameters: Vec<(&'t str, &'t str)>,
}

impl<'t> Tokens<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let (kind, rest) = take(text, |c| c.is_alphanumeric() || matches!(c, '.' | '*'))?;
        let (subtype, mut rest) =
            take(rest.strip_prefix('/')?, |c| c.is_alphanumeric() || matches!(c, '.' | '*' | '+' | '-'))?;
        let mut parameters = Vec::new();
        while let Some((key, value, behind)) = parameter(rest) {
            parameters.push((key, value));
            rest = behind;
        }
        Some(Self { kind, subtype, parameters })
    }

    fn parameter(&self, name: &str) -> Option<&'t str> {
        self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    fn plan(&self, json: bool) -> Media {
        let of = self.parameter("for").map_or(Media::Json, |of| match Media::parse(of) {
            // A plan has no plan.
            Media::Plan(inner) => inner.of,
            other => other,
        });
        let asked =
            |name: &str| self.parameter("options").is_some_and(|o| o.split('|').any(|option| option == name));
        Media::Plan(Box::new(PlanMedia {
            of,
            json,
            analyze: asked("analyze"),
            verbose: asked("verbose"),
            settings: asked("settings"),
            buffers: asked("buffers"),
            wal: asked("wal"),
        }))
    }
}

/// At least one character of a kind, and the rest.
fn take(text: &str, fits: impl Fn(char) -> bool) -> Option<(&str, &str)> {
    let end = text.find(|c| !fits(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn parameter(text: &str) -> Option<(&str, &str, &str)> {
    let text = text.trim_start().strip_prefix(';')?.trim_start();
    let (key, rest) = take(text, |c| c.is_alphanumeric() || c == '-')?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => take(rest, |c| c.is_alphanumeric() || matches!(c, '|' | '-'))?,
    };
    Some((key, value, rest))
}

#[cfg(test)]
mod tests {
    use super::Media;

    #[test]
    fn known_types_are_read_without_regard_to_case_and_unknown_parameters() {
        for (text, media) in [
            ("application/json", Media::Json),
            ("Application/JSON; charset=utf-8", Media::Json),
            ("application/json; $$ what=ever $$", Media::Json),
            ("application/vnd.pgrst.array+json", Media::Json),
            ("application/vnd.pgrst.array;nulls=stripped", Media::JsonStripped),
            ("ApplicatIon/vnd.PgRsT.object+json", Media::Object { stripped: false }),
            ("application/vnd.pgrst.object; nulls=\"stripped\"", Media::Object { stripped: true }),
            ("*/*", Media::Any),
            ("undefined", Media::Other("undefined".into())),
            ("application/vnd.twkb", Media::Other("application/vnd.twkb".into())),
            ("", Media::Other("".into())),
        ] {
            assert_eq!(Media::parse(text), media, "{text}");
        }
    }

    #[test]
    fn plans_name_what_they_are_of() {
        for (text, name) in [
            ("application/vnd.pgrst.plan", "application/vnd.pgrst.plan+text; for=\"application/json\""),
            (
                "application/vnd.pgrst.plan+json;for=\"text/csv\"",
                "application/vnd.pgrst.plan+json; for=\"text/csv\"",
            ),
            (
                "application/vnd.pgrst.plan ; for=\"application/vnd.pgrst.object\" ; options=wal|analyze|x",
                "application/vnd.pgrst.plan+text; for=\"application/vnd.pgrst.object+json\"; options=analyze|wal",
            ),
        ] {
            let media = Media::parse(text);
            assert_eq!(media.name(), name);
            assert_eq!(Media::parse(&media.name()), media);
            assert!(media.has_charset());
        }
    }
}
