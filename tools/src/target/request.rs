//! Request bodies of a front.

use serde::Serialize;

/// The body of `/check`, `/peek` and `/reset`. Numbers are strings, so that no library on the way
/// rounds them.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct CheckBody<'a> {
    pub(crate) key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) capacity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::CheckBody;

    #[test]
    fn absent_fields_are_not_sent() {
        let bare = CheckBody { key: "user:\"42\"", ..CheckBody::default() };
        assert_eq!(serde_json::to_string(&bare).unwrap(), r#"{"key":"user:\"42\""}"#);
        let some = |text: &str| Some(text.to_owned());
        let full = CheckBody {
            key: "k",
            policy: Some("api"),
            cost: some("2.5"),
            capacity: some("10"),
            rate: some("100/m"),
        };
        assert_eq!(
            serde_json::to_string(&full).unwrap(),
            r#"{"key":"k","policy":"api","cost":"2.5","capacity":"10","rate":"100/m"}"#
        );
    }
}
