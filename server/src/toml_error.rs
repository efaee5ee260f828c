//! Reasons of the TOML parser, without the words that they quote from a file.
//!
//! A file given by mistake may hold a secret, and the reason goes to the log.

use std::ops::Range;

/// Where a text is not TOML of the expected form, and why.
pub(crate) struct TomlError {
    pub(crate) span: Range<usize>,
    pub(crate) reason: String,
}

// === impl TomlError ===

impl TomlError {
    /// The error without the words that it quotes, unless `may_quote` permits them.
    pub(crate) fn new(error: &toml::de::Error, may_quote: fn(&str) -> bool) -> Self {
        Self { span: error.span().unwrap_or_default(), reason: reason(error.message(), may_quote) }
    }
}

/// serde's messages are "CAUSE `QUOTE`, expected RULE", with quotation marks for strings. All
/// others are fixed texts, or name a field of ours.
fn reason(message: &str, may_quote: fn(&str) -> bool) -> String {
    let message = message.trim().replace('\n', ", ");
    // The last one: what is quoted may hold the same words.
    let (Some(start), Some(end)) = (message.find(['`', '"']), message.rfind(", expected")) else {
        return message;
    };
    match message.get(start + 1..end.saturating_sub(1)) {
        Some(quote) if !may_quote(quote) => {
            format!("{}{}", message[..start].trim_end(), &message[end..])
        }
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn a_reason_quotes_nothing_of_the_file() {
        for (message, expected) in [
            ("unknown field `x`, expected `tokens`", "unknown field, expected `tokens`"),
            (
                "unknown variant `a`, expected `b`, expected `check` or `admin`",
                "unknown variant, expected `check` or `admin`",
            ),
            ("unknown variant ``, expected `check`", "unknown variant, expected `check`"),
            (
                "invalid type: integer `987`, expected a string",
                "invalid type: integer, expected a string",
            ),
            (
                "invalid type: string \"T\\\"`\", expected a map",
                "invalid type: string, expected a map",
            ),
            ("invalid type: map, expected `x`", "invalid type: map, expected `x`"),
            ("missing field `sha256`", "missing field `sha256`"),
            ("key with no value, expected `=`\n", "key with no value, expected `=`"),
        ] {
            assert_eq!(reason(message, |_| false), expected);
        }
        let kept = "unknown field `polices`, expected `policies`";
        assert_eq!(reason(kept, |word| word == "polices"), kept);
    }
}
