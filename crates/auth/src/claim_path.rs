//! [`ClaimPath`]: where in a token the role stands, in PostgREST's notation (`jwt-role-claim-key`).

use serde_json::{Map, Value};

/// `.role`, `.app."a-b"[0]`, `.roles[?(@ ^== "app_")]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath {
    steps: Vec<Step>,
    /// At the end only: the first text of a list that fits.
    filter: Option<Filter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Filter {
    test: Test,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equals,
    Differs,
    Starts,
    Ends,
    Contains,
}

/// The longer ones first.
const TESTS: [(&str, Test); 5] = [
    ("==^", Test::Ends),
    ("==", Test::Equals),
    ("!=", Test::Differs),
    ("^==", Test::Starts),
    ("*==", Test::Contains),
];

impl Default for ClaimPath {
    fn default() -> Self {
        Self { steps: vec![Step::Key("role".to_owned())], filter: None }
    }
}

impl ClaimPath {
    /// # Errors
    /// What is wrong with the path, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text };
        let mut path = Self { steps: Vec::new(), filter: None };
        while !reader.rest.is_empty() {
            if path.filter.is_some() {
                return Err(format!("`{text}`: a filter is the path's end"));
            }
            reader.step(&mut path).map_err(|what| {
                let at = text.chars().count() - reader.rest.chars().count() + 1;
                format!("`{text}`: expected {what} at character {at}")
            })?;
        }
        if path.steps.is_empty() && path.filter.is_none() {
            return Err("the path to the role claim is empty; write \".role\"".to_owned());
        }
        Ok(path)
    }

    /// The claim there; a text as it is, anything else as JSON.
    pub(crate) fn find(&self, claims: &Map<String, Value>) -> Option<String> {
        let (first, rest) = self.steps.split_first()?;
        // A token's claims are an object.
        let Step::Key(name) = first else { return None };
        let mut found = claims.get(name)?;
        for step in rest {
            found = match step {
                Step::Key(name) => found.as_object()?.get(name)?,
                Step::Index(at) => found.as_array()?.get(*at)?,
            };
        }
        match (&self.filter, found) {
            (Some(filter), found) => {
                let texts = found.as_array()?.iter().filter_map(Value::as_str);
                texts.into_iter().find(|text| filter.fits(text)).map(str::to_owned)
            }
            (None, Value::String(text)) => Some(text.clone()),
            (None, other) => Some(other.to_string()),
        }
    }
}

impl Filter {
    fn fits(&self, text: &str) -> bool {
        let wanted = self.text.as_str();
        match self.test {
            Test::Equals => text == wanted,
            Test::Differs => text != wanted,
            Test::Starts => text.starts_with(wanted),
            Test::Ends => text.ends_with(wanted),
            Test::Contains => text.contains(wanted),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn takes(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn while_is(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// The error says what was expected.
    fn step(&mut self, path: &mut ClaimPath) -> Result<(), &'static str> {
        if self.takes(".") {
            let plain = self.while_is(|c| c.is_alphanumeric() || "_$@".contains(c));
            let key = if plain.is_empty() { self.quoted()? } else { plain };
            path.steps.push(Step::Key(key.to_owned()));
            return Ok(());
        }
        if self.takes("[?(@") {
            path.filter = Some(self.filter()?);
            return Ok(());
        }
        if !self.takes("[") {
            return Err("`.name`, `[index]` or `[?(@ == \"text\")]`");
        }
        let index = self.while_is(|c| c.is_ascii_digit()).parse().map_err(|_| "an index")?;
        if !self.takes("]") {
            return Err("`]`");
        }
        path.steps.push(Step::Index(index));
        Ok(())
    }

    fn filter(&mut self) -> Result<Filter, &'static str> {
        self.while_is(char::is_whitespace);
        let test = TESTS.iter().find(|(sign, _)| self.takes(sign)).map(|(_, test)| *test);
        let test = test.ok_or("`==`, `!=`, `^==`, `==^` or `*==`")?;
        self.while_is(char::is_whitespace);
        let text = self.quoted()?.to_owned();
        if self.takes(")]") { Ok(Filter { test, text }) } else { Err("`)]`") }
    }

    fn quoted(&mut self) -> Result<&'a str, &'static str> {
        if !self.takes("\"") {
            return Err("a name, or a text in double quotes");
        }
        let text = self.while_is(|c| c != '"');
        if self.takes("\"") { Ok(text) } else { Err("a closing `\"`") }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn find(path: &str, claims: &Value) -> Option<String> {
        ClaimPath::parse(path).unwrap().find(claims.as_object().unwrap())
    }

    #[test]
    fn the_role_is_found_where_the_path_says() {
        let claims = json!({
            "role": "a", "app": {"a-b": ["x", "y"], "n": 7}, "https://x.example/r": {"r$": "z"},
            "roles": ["other", "app_user", "user_app", 5],
        });
        for (path, found) in [
            (".role", Some("a")),
            (".app.\"a-b\"[1]", Some("y")),
            (".app.\"a-b\"[2]", None),
            (".app.n", Some("7")),
            (".\"https://x.example/r\".r$", Some("z")),
            (".roles[?(@ == \"app_user\")]", Some("app_user")),
            (".roles[?(@ != \"other\")]", Some("app_user")),
            (".roles[?(@ ^== \"app_\")]", Some("app_user")),
            (".roles[?(@ ==^ \"_app\")]", Some("user_app")),
            (".roles[?(@*==\"r_a\")]", Some("user_app")),
            (".roles[?(@ == \"none\")]", None),
            (".role[0]", None),
            ("[0]", None),
        ] {
            assert_eq!(find(path, &claims).as_deref(), found, "{path}");
        }
    }

    #[test]
    fn paths_that_cannot_be_read_say_where() {
        for bad in [
            "",
            "role",
            ".",
            ".a[",
            ".a[x]",
            ".a[0",
            ".\"a",
            ".a[?(@ ~ \"x\")]",
            ".a[?(@ == x)]",
            ".a[?(@ == \"x\")].b",
        ] {
            assert!(ClaimPath::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(ClaimPath::parse(".a[x]").unwrap_err(), "`.a[x]`: expected an index at character 4");
    }
}
