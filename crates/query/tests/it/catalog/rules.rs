//! CHECKs as this PostgreSQL prints them.

use bedplate_query::catalog::{Rule, TypeKind};

use super::{catalog_of, names, relation};

#[tokio::test]
async fn checks_become_rules() {
    let catalog = catalog_of(
        "create domain public.percent as numeric check (value >= 0 and value <= 100);
         create domain public.code as text check (value in ('a', 'b'));
         create table public.t (
             age int check (age between 0 and 150),
             title text constraint title check (char_length(title) >= 3 and length(title) < 81),
             name varchar(40) constraint name check (length(trim(name)) > 0),
             status varchar(9) constraint status check (status in ('open', 'closed')),
             price numeric(8,2) constraint price check (price > -1.5),
             mail text constraint mail check (mail ~* '^[^@]+@x$'),
             extra text constraint extra check (extra is not null),
             \"Odd\" text constraint odd check (\"Odd\" <> ''),
             other text constraint other check (other like 'x%' or age > 5),
             share public.percent, code public.code);",
    )
    .await;
    let id = relation(&catalog, "t");
    let mut seen: Vec<String> = Vec::new();
    for check in &catalog.relation(id).checks {
        for (column, rule) in &check.rules {
            let rule = match rule {
                Rule::Range { min, max } => {
                    let show = |b: &Option<bedplate_query::catalog::Bound>| b.map(|b| (b.value, b.inclusive));
                    format!("range {:?} {:?}", show(min), show(max))
                }
                other => format!("{other:?}"),
            };
            seen.push(format!("{} {rule}", names(&catalog, id, &[*column])[0]));
        }
    }
    seen.sort();
    assert_eq!(
        seen,
        [
            "Odd Length { min: Some(1), max: None }",
            "age range Some((0.0, true)) Some((150.0, true))",
            "extra NotNull",
            "mail Pattern { pattern: \"^[^@]+@x$\", ignore_case: true }",
            "name Length { min: Some(1), max: None }",
            "price range Some((-1.5, false)) None",
            "status OneOf([\"open\", \"closed\"])",
            "title Length { min: Some(3), max: Some(80) }",
        ]
    );
    let domain = |name| {
        let column = catalog.column(id, catalog.find_column(id, name).unwrap());
        let TypeKind::Domain { rules, checks, .. } = &catalog.type_of(column.type_oid).unwrap().kind else {
            panic!()
        };
        assert_eq!(checks.len(), 1);
        rules.clone()
    };
    assert!(matches!(domain("share")[..], [Rule::Range { min: Some(_), max: Some(_) }]));
    assert_eq!(domain("code"), [Rule::OneOf(vec!["a".into(), "b".into()])]);
}
