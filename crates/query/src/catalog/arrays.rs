//! One-dimensional arrays in PostgreSQL's text form (documentation, "Array Input and Output Syntax").

/// `{a,"b c",NULL}`, also with bounds in front (`[0:1]={1,2}`). `None` when it is not one.
pub(super) fn parse(text: &str) -> Option<Vec<Option<String>>> {
    let body = if text.starts_with('[') { text.split_once('=')?.1 } else { text };
    let body = body.strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    let mut chars = body.chars().peekable();
    if chars.peek().is_none() {
        return Some(items);
    }
    loop {
        let mut item = String::new();
        let quoted = chars.next_if_eq(&'"').is_some();
        loop {
            match chars.peek() {
                None | Some(',') if !quoted => break,
                None => return None,
                Some(_) => {}
            }
            match chars.next()? {
                '"' if quoted => break,
                '\\' => item.push(chars.next()?),
                c => item.push(c),
            }
        }
        items.push((quoted || !item.eq_ignore_ascii_case("null")).then_some(item));
        match chars.next() {
            None => return Some(items),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_quotes_escapes_nulls_and_bounds() {
        let items = |text| parse(text).unwrap();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(items("{}"), []);
        assert_eq!(items("{1,NULL,x y}"), [some("1"), None, some("x y")]);
        assert_eq!(items(r#"{"a,b","NULL","q\"\\"}"#), [some("a,b"), some("NULL"), some("q\"\\")]);
        assert_eq!(items("[0:1]={5,6}"), [some("5"), some("6")]);
        assert_eq!(parse("{\"open}"), None);
        assert_eq!(parse("7"), None);
    }
}
