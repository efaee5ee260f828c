//! The document in OpenAPI 3.0, for generators and gateways that read no newer version.

use serde_json::{Map, Value, json};

/// Converts the document from OpenAPI 3.1. It says the same, with two losses: the null that a field
/// of a request may be in place of a number or text, and the descriptions beside references.
pub(super) fn convert(mut document: Value) -> Value {
    convert_all(&mut document);
    document["openapi"] = "3.0.3".into();
    // The name is an SPDX expression, which 3.0 has no field for.
    let license = &document["info"]["license"]["name"];
    document["info"]["license"] = json!({"name": license, "url": "https://spdx.org/licenses/"});
    document
}

/// Converts all schemas in a value. Examples are no schemas, and stay as they are.
fn convert_all(value: &mut Value) {
    match value {
        Value::Object(members) => {
            convert_schema(members);
            let nested = members
                .iter_mut()
                .filter(|(name, _)| !["example", "value"].contains(&name.as_str()));
            nested.for_each(|(_, member)| convert_all(member));
        }
        Value::Array(items) => items.iter_mut().for_each(convert_all),
        _ => {}
    }
}

fn convert_schema(members: &mut Map<String, Value>) {
    if members.contains_key("$ref") {
        members.retain(|name, _| name == "$ref");
    }
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|name| name != "null");
        if let Some(only) = types.pop() {
            members.insert("type".to_owned(), only);
            members.insert("nullable".to_owned(), true.into());
        }
    }
    if let Some(Value::Array(alternatives)) = members.get_mut("oneOf") {
        alternatives.retain(|alternative| alternative["type"] != "null");
    }
    // The examples of a media type are an object, and stay.
    if let Some(first) = members.get("examples").and_then(|examples| examples.get(0)).cloned() {
        members.remove("examples");
        members.insert("example".to_owned(), first);
    }
}
