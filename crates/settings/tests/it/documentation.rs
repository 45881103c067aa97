use bedplate_settings::{explain, json_schema, keys, reference_markdown};

#[test]
fn the_reference_has_every_setting() {
    let reference = reference_markdown();
    for key in keys() {
        assert!(
            reference.contains(&format!("| `{}` |", key.path.rsplit('.').next().unwrap())),
            "{}",
            key.path
        );
        assert!(key.doc.ends_with('.') && key.doc.len() > 15, "{}: {}", key.path, key.doc);
    }
    insta::assert_snapshot!(reference);
}

#[test]
fn the_schema_describes_every_setting_for_editors() {
    let schema = json_schema();
    assert_eq!(schema["properties"]["server"]["properties"]["port"]["default"], 54321);
    assert_eq!(schema["properties"]["server"]["additionalProperties"], false);
    assert_eq!(schema["properties"]["auth"]["properties"]["issuers"]["type"], "array");
    let legacy = &schema["properties"]["access"]["properties"]["schemas"]["additionalProperties"];
    assert_eq!(legacy["properties"]["require_rls"]["type"], "boolean");
    assert!(schema["$defs"]["settings"]["properties"]["env"].is_null(), "overlays have no overlays");
    insta::assert_snapshot!(serde_json::to_string_pretty(&schema).unwrap());
}

#[test]
fn explaining_one_setting_a_section_and_a_slip() {
    let port = explain("server.port").unwrap();
    assert_eq!(port.keys.len(), 1);
    assert_eq!(port.keys[0].variable(), "BEDPLATE_SERVER__PORT");
    assert_eq!(explain("access.schemas.legacy.require_rls").unwrap().keys[0].kind, "true or false");
    let auth = explain("auth").unwrap();
    assert!(auth.doc.contains("Tokens") && auth.keys.iter().any(|key| key.path == "auth.issuers[].issuer"));
    assert_eq!(explain("auth.issuers").unwrap().keys.len(), 5);
    assert_eq!(explain("").unwrap().keys.len(), keys().len());
    assert!(explain("server.prot").unwrap_err().fix.contains("server.port"));
}
