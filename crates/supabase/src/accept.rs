//! Which representation the caller takes: the `Accept` header, by quality and then by order.

use http::HeaderMap;

/// A media type of `Accept` or `Content-Type`, as far as the dialect tells them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Media {
    Any,
    Json,
    /// `application/vnd.pgrst.array+json;nulls=stripped`
    JsonStripped,
    /// `application/vnd.pgrst.object+json`, with `;nulls=stripped`
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
    /// Everything else, as written.
    Other(String),
}

impl Media {
    pub fn parse(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or("").to_ascii_lowercase();
        let stripped = parts.any(|parameter| {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            key.trim().eq_ignore_ascii_case("nulls") && value.trim().trim_matches('"') == "stripped"
        });
        match name.as_str() {
            "*/*" => Self::Any,
            "application/json" => Self::Json,
            "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" if stripped => {
                Self::JsonStripped
            }
            "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" => Self::Json,
            "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" => Self::Object { stripped },
            "text/csv" => Self::Csv,
            "text/plain" => Self::Text,
            "text/xml" => Self::Xml,
            "application/octet-stream" => Self::OctetStream,
            "application/geo+json" => Self::GeoJson,
            "application/openapi+json" => Self::OpenApi,
            "application/x-www-form-urlencoded" => Self::UrlEncoded,
            _ => Self::Other(text.to_owned()),
        }
    }

    /// As in `Content-Type`.
    pub fn content_type(&self) -> String {
        let (name, charset) = self.parts();
        if charset { format!("{name}; charset=utf-8") } else { name.to_owned() }
    }

    /// Without its charset.
    pub fn name(&self) -> String {
        match self {
            Self::Any => "*/*".to_owned(),
            other => other.parts().0.to_owned(),
        }
    }

    fn parts(&self) -> (&str, bool) {
        match self {
            Self::Any | Self::Json => ("application/json", true),
            Self::JsonStripped => ("application/vnd.pgrst.array+json;nulls=stripped", true),
            Self::Object { stripped: true } => ("application/vnd.pgrst.object+json;nulls=stripped", true),
            Self::Object { stripped: false } => ("application/vnd.pgrst.object+json", true),
            Self::Csv => ("text/csv", true),
            Self::Text => ("text/plain", true),
            Self::Xml => ("text/xml", true),
            Self::OctetStream => ("application/octet-stream", false),
            Self::GeoJson => ("application/geo+json", true),
            Self::OpenApi => ("application/openapi+json", true),
            Self::UrlEncoded => ("application/x-www-form-urlencoded", true),
            Self::Other(text) => (text.as_str(), false),
        }
    }
}

/// What is accepted, best first; without the header everything is.
pub(crate) fn read(headers: &HeaderMap) -> Vec<Media> {
    let mut wanted: Vec<(f32, &str)> = Vec::new();
    for value in headers.get_all(http::header::ACCEPT) {
        let text = value.to_str().unwrap_or_default();
        wanted.extend(split(text).map(|item| (quality(item), item.trim())));
    }
    if wanted.is_empty() {
        return vec![Media::Any];
    }
    // Stable: equal qualities stay in the order written.
    wanted.sort_by(|a, b| b.0.total_cmp(&a.0));
    wanted.into_iter().filter(|(quality, _)| *quality > 0.0).map(|(_, item)| Media::parse(item)).collect()
}

/// At commas outside quotes.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .filter(|item| !item.trim().is_empty())
}

/// `q=0.5` (RFC 9110 §12.4.2); 1 when there is none or it cannot be read.
fn quality(item: &str) -> f32 {
    let parameters = item.split(';').skip(1);
    let q = parameters.filter_map(|p| p.trim().strip_prefix("q=")).find_map(|q| q.trim().parse().ok());
    q.unwrap_or(1.0)
}
