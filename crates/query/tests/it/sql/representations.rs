//! Representations: which one is chosen, and the statements that make them.

use std::sync::Arc;

use bedplate_query::media::{Accept, Media};
use bedplate_query::output::Output;
use bedplate_query::request::{Count, Operation, Style};
use bedplate_query::{Request, fault::Fault};

use super::Fixture;
use super::request::{call, get};

/// The request as a caller of the PostgREST dialect makes it.
fn accepting(mut request: Request, accept: &[&str]) -> Request {
    let listed: Arc<[Media]> = accept.iter().map(|text| Media::parse(text)).collect();
    let style = Style { accept: Accept::Listed(listed), ..Style::POSTGREST };
    match &mut request.operation {
        Operation::Read(read) => read.style = style,
        Operation::Call(call) => call.style = style,
        _ => unreachable!("reads and calls only"),
    }
    request
}

fn counted(mut request: Request) -> Request {
    if let Operation::Call(call) = &mut request.operation {
        call.count = Some(Count::Exact);
    }
    request
}

#[tokio::test]
async fn shapes_of_representations() {
    let mut fixture = Fixture::new().await;
    let read = "posts?select=id,title,author:author_id(name),comments(body)&views=gt.3&order=id&limit=2";
    let rows = || call("search", r#"{"term":"1"}"#, "select=id,title&order=id&limit=2&offset=1");
    let cases = [
        ("csv", accepting(get(read), &["text/csv"])),
        ("csv of a function", accepting(call("search", r#"{"term":"1"}"#, "select=id,title"), &["text/csv"])),
        ("csv of values", accepting(call("numbers", r#"{"up_to":9}"#, "limit=3"), &["text/csv"])),
        ("a counted page of a function", accepting(counted(rows()), &["application/json"])),
        ("a counted page of a function as csv", accepting(counted(rows()), &["text/csv"])),
    ];
    let texts: Vec<String> = cases.iter().map(|(title, request)| fixture.shape(title, request)).collect();
    snapshot!(texts.join("\n"));
    let plans = [
        accepting(get(read), &["application/vnd.pgrst.plan"]),
        accepting(
            get("posts?select=id"),
            &["application/vnd.pgrst.plan+json;for=\"text/csv\";options=verbose"],
        ),
        accepting(get("posts"), &["application/vnd.pgrst.plan+json;for=\"application/vnd.pgrst.object\""]),
        accepting(call("add", r#"{"a":1}"#, ""), &["application/vnd.pgrst.plan"]),
        accepting(call("numbers", r#"{"up_to":9}"#, ""), &["application/vnd.pgrst.plan;options=analyze"]),
    ];
    let mut texts = Vec::new();
    for request in &plans {
        let planned = fixture.plan(request).unwrap();
        let answered = fixture.wire().run(&planned.main.sql, &request.values);
        assert!(!answered.rows.is_empty());
        assert_eq!(planned.main.output, Output::Lines);
        texts.push(planned.main.sql.text.to_string());
    }
    snapshot!(texts.join("\n\n"));
}

#[tokio::test]
async fn the_first_that_fits_is_chosen() {
    let fixture = Fixture::new().await;
    let chosen = |accept: &[&str]| {
        fixture.plan(&accepting(get("posts?select=id"), accept)).map(|planned| planned.main.media)
    };
    assert_eq!(chosen(&["image/png", "text/csv", "application/json"]).unwrap(), Media::Csv);
    assert_eq!(chosen(&["text/plain", "*/*"]).unwrap(), Media::Json);
    assert_eq!(chosen(&["application/vnd.pgrst.object"]).unwrap(), Media::Object { stripped: false });
    let refused = chosen(&["text/plain", "application/geo+json"]).unwrap_err();
    let accepted = vec!["text/plain".to_owned(), "application/geo+json".to_owned()];
    assert_eq!(refused.cause::<Fault>(), Some(&Fault::NoRepresentation { accepted }));
    assert_eq!(refused.status(), 406);
}
