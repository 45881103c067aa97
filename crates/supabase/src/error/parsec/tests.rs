use super::*;

fn told(subject: Subject, parameter: &str, input: &str) -> (u32, String) {
    let told = explain(subject, parameter, input).unwrap_or_else(|| panic!("{input} is readable"));
    assert_eq!(told.line, 1);
    (told.column, told.details)
}

fn check(subject: Subject, parameter: &str, cases: &[(&str, u32, &str)]) {
    for (input, column, details) in cases {
        assert_eq!(told(subject, parameter, input), (*column, (*details).to_owned()), "{input}");
    }
}

#[test]
fn select() {
    check(
        Subject::Select,
        "select",
        &[
            (
                "id,clients(name[])",
                16,
                "unexpected '[' expecting letter, digit, \"-\", \"->>\", \"->\", \"::\", \".\", \")\", \",\" or end of input",
            ),
            (
                "data->>-78xy",
                11,
                "unexpected 'x' expecting digit, \"->\", \"::\", \".\", \",\" or end of input",
            ),
            ("data->>--34", 9, "unexpected \"-\" expecting digit"),
            (
                "data->(!@#$%^&*_d->>!@#$%^&*_e::integer",
                7,
                "unexpected \"(\" expecting \"-\", digit or any non reserved character different from: .,>()",
            ),
            (
                "name!hint",
                5,
                "unexpected '!' expecting letter, digit, \"-\", \"->>\", \"->\", \"::\", \".\", \")\", \",\" or end of input",
            ),
            ("name::", 7, "unexpected end of input expecting letter or digit"),
        ],
    );
}

#[test]
fn order() {
    check(
        Subject::Order,
        "order",
        &[
            (
                "clients(name,id)",
                8,
                "unexpected '(' expecting letter, digit, \"-\", \"->>\", \"->\", delimiter (.), \",\" or end of input",
            ),
            ("id.ac", 4, "unexpected \"c\" expecting \"asc\", \"desc\", \"nullsfirst\" or \"nullslast\""),
            ("id.descc", 8, "unexpected 'c' expecting delimiter (.), \",\" or end of input"),
            (
                "id.nulsfist",
                4,
                "unexpected \"n\" expecting \"asc\", \"desc\", \"nullsfirst\" or \"nullslast\"",
            ),
            ("id.nullslasttt", 13, "unexpected 't' expecting \",\" or end of input"),
            ("id.smth34", 4, "unexpected \"s\" expecting \"asc\", \"desc\", \"nullsfirst\" or \"nullslast\""),
            ("id.asc.nlsfst", 8, "unexpected \"l\" expecting \"nullsfirst\" or \"nullslast\""),
            ("id.asc.nullslasttt", 17, "unexpected 't' expecting \",\" or end of input"),
            ("id.asc.smth34", 8, "unexpected \"s\" expecting \"nullsfirst\" or \"nullslast\""),
        ],
    );
}

#[test]
fn filters() {
    check(
        Subject::Filter,
        "id",
        &[
            ("noop.0", 1, "unexpected \"o\" expecting \"not\" or operator (eq, gt, ...)"),
            ("val", 1, "unexpected \"v\" expecting \"not\" or operator (eq, gt, ...)"),
            ("0", 1, "unexpected \"0\" expecting \"not\" or operator (eq, gt, ...)"),
            ("fts().value", 5, "unexpected \")\" expecting operator (eq, gt, ...)"),
            ("eq().value", 4, "unexpected \")\" expecting operator (eq, gt, ...)"),
            ("is().value", 3, "unexpected \"(\" expecting operator (eq, gt, ...)"),
            ("in().value", 3, "unexpected \"(\" expecting operator (eq, gt, ...)"),
        ],
    );
}

#[test]
fn logic() {
    check(
        Subject::LogicTree,
        "or",
        &[
            (
                "()",
                4,
                "unexpected \")\" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)",
            ),
            ("(id.in.1,2,id.eq.3)", 10, "unexpected \"1\" expecting \"(\""),
            (")(", 3, "unexpected \")\" expecting \"(\""),
            ("(id.eq.1,not.xor(id.eq.2,id.eq.3))", 16, "unexpected \"x\" expecting logic operator (and, or)"),
        ],
    );
    check(
        Subject::LogicTree,
        "and",
        &[("(ord(id.eq.1,id.eq.1),id.eq.2)", 7, "unexpected \"d\" expecting \"(\"")],
    );
}

#[test]
fn lists_of_columns() {
    check(
        Subject::Columns,
        "columns",
        &[("", 1, "unexpected end of input expecting field name (* or [a..z0..9_$])")],
    );
}

#[test]
fn what_would_be_read_and_what_is_too_deep_is_not_explained() {
    assert_eq!(explain(Subject::Filter, "id", "eq.1"), None);
    assert_eq!(explain(Subject::LogicTree, "or", "(id.eq.1)and more"), None);
    let deep = "(and".repeat(5_000);
    assert_eq!(explain(Subject::LogicTree, "or", &deep), None);
}
