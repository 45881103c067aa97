use super::*;
use proptest::prelude::*;

fn texts(script: &str) -> Vec<&str> {
    split(script).unwrap().into_iter().map(|s| &script[s.sql]).collect()
}

#[test]
fn semicolons_inside_strings_comments_names_and_bodies_do_not_cut() {
    let cases: &[(&str, &[&str])] = &[
        ("select 1; select 2", &["select 1", "select 2"]),
        (";;\n ; select 1 ;;", &["select 1"]),
        ("-- a;b\nselect ';' -- c;\n, 2;", &["select ';' -- c;\n, 2"]),
        ("/* a /* ; */ ; */ select 1;", &["select 1"]),
        (r"select E'\';', ''';';select 2", &[r"select E'\';', ''';'", "select 2"]),
        (r"select '\'; select 2", &[r"select '\'", "select 2"]),
        (r#"select "a;""b" ;select u&"x;y""#, &[r#"select "a;""b""#, r#"select u&"x;y""#]),
        ("do $$ begin; end $$; select $a$ $$;$b$ $a$", &["do $$ begin; end $$", "select $a$ $$;$b$ $a$"]),
        ("select a$b$c; select d$b$", &["select a$b$c", "select d$b$"]),
        ("prepare p as select $1; execute p(1)", &["prepare p as select $1", "execute p(1)"]),
        (
            "create rule r as on insert to t do (select 1; select 2); x",
            &["create rule r as on insert to t do (select 1; select 2)", "x"],
        ),
        (
            "create or replace function f() returns int begin atomic select case when true then 1 end; select 2; end; x",
            &[
                "create or replace function f() returns int begin atomic select case when true then 1 end; select 2; end",
                "x",
            ],
        ),
        ("begin; select 1; end; x", &["begin", "select 1", "end", "x"]),
        ("select 1 -- no end", &["select 1"]),
        ("-- nothing\n", &[]),
        ("\\restrict abc\nselect 1;\n\\unrestrict abc\n", &["select 1"]),
        (
            "create function é() returns text as 'ü;' language sql;y",
            &["create function é() returns text as 'ü;' language sql", "y"],
        ),
    ];
    for (script, expected) in cases {
        assert_eq!(&texts(script), expected, "{script}");
    }
}

#[test]
fn copy_takes_its_rows_with_it() {
    let script = "copy t (a, b) from stdin with (format text);\n1\tx;y\n2\t'\n\\.\nselect 1;";
    let statements = split(script).unwrap();
    assert_eq!(statements.len(), 2);
    assert_eq!(&script[statements[0].copy_data.clone().unwrap()], "1\tx;y\n2\t'\n");
    assert_eq!(&script[statements[1].sql.clone()], "select 1");
    assert_eq!(split("copy t from '/tmp/x'; select 1").unwrap()[0].copy_data, None);
}

#[test]
fn what_never_ends_or_is_not_sql_is_named_with_its_place() {
    for (script, at, says) in [
        ("select 1;\nselect 'abc", 17, "string"),
        ("do $x$ begin $y$", 3, "dollar"),
        ("select \"a", 7, "name"),
        ("/* /* */", 0, "comment"),
        ("select 1;\n\\connect other\n", 10, "\\connect is a command of psql"),
    ] {
        let error = split(script).unwrap_err();
        assert_eq!(error.at, at, "{script}");
        assert!(error.message.contains(says), "{}", error.message);
    }
    assert_eq!(line_and_column("a\nüb", "a\nü".len()), (2, 2));
}

/// Whole statements whose ends are known.
fn statement() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-z]{1,6}",
        "'[a-z;$\"-]{0,5}'",
        "\"[a-z;$'-]{1,5}\"",
        "\\$q\\$[a-z;'\"-]{0,8}\\$q\\$",
        "E'[a-z;]{0,3}\\\\'[a-z;]{0,3}'",
        "\\([a-z; ]{0,6}\\)",
        "/\\*[a-z;' ]{0,6}\\*/",
        Just("--c;'\n".to_owned()),
        "[0-9]{1,3}",
    ];
    ("[a-z]{2,6}", prop::collection::vec(part, 0..6)).prop_filter_map(
        "words that change the rules",
        |(first, rest)| {
            let text = format!("{first} {}", rest.join(" "));
            (!text.contains("copy") && !text.contains("create")).then_some(text)
        },
    )
}

proptest! {
    #[test]
    fn nothing_is_lost_whatever_the_text(script in "[a-z'\"$;()/*\\\\ \n-]{0,80}|\\PC{0,60}") {
        if let Ok(statements) = split(&script) {
            let mut at = 0;
            for s in &statements {
                prop_assert_eq!(s.whole.start, at);
                prop_assert!(s.whole.start <= s.sql.start && s.sql.start < s.sql.end && s.sql.end <= s.whole.end);
                at = s.whole.end;
            }
            let joined: String = statements.iter().map(|s| &script[s.whole.clone()]).collect();
            prop_assert_eq!(format!("{joined}{}", &script[at..]), script);
        }
    }

    #[test]
    fn statements_come_back_as_they_were_joined(wanted in prop::collection::vec(statement(), 1..6)) {
        let script = format!("{}\n;", wanted.join("\n;"));
        let found = split(&script).unwrap();
        prop_assert_eq!(found.len(), wanted.len());
        for (f, w) in found.iter().zip(&wanted) {
            prop_assert!(w.starts_with(&script[f.sql.clone()]), "{:?} {:?}", &script[f.sql.clone()], w);
        }
    }
}
