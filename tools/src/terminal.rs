//! Text from elsewhere, made safe to print on a terminal.

/// Replaces the characters that a terminal would obey: control characters, and those that change
/// the direction of text.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_control(c) { '\u{fffd}' } else { c }).collect()
}

/// Puts JSON on one line. Control characters can only be between tokens, where they are removed, or
/// in strings, where they are escaped.
pub(crate) fn one_line(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' | '\r' | '\t' => {}
            // All of them fit into four hex digits.
            c if is_control(c) => line.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
    line
}

fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{one_line, printable};

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[31m\r\n\u{9b}1m\u{202e}é"),
            "a\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}1m\u{fffd}é"
        );
        let json = "{\r\n\t\"a\": \"\u{9b}\u{7f}\u{202e}\\u001b\"\n}\n";
        let line = one_line(json);
        assert_eq!(line, r#"{"a": "\u009b\u007f\u202e\u001b"}"#);
        let parse = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parse(json), parse(&line));
    }
}
