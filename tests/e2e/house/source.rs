//! The product code of a Rust file.

use std::fs;
use std::path::Path;

/// The tokens of a file, as far as paths need them: identifiers, `::`, and single characters.
/// Comments, literals and items behind `#[cfg(test)]` are left out.
pub(super) fn tokens(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    without_tests(split(&text))
}

fn split(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            '"' => string(rest, 1, '\\', "\""),
            'r' | 'b' | 'c' if literal(rest).is_some() => literal(rest).unwrap_or_default(),
            '\'' => character(rest),
            ':' if rest.starts_with("::") => 2,
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(len);
        if token == "::" || token.chars().all(is_word) || (len == 1 && first.is_ascii_punctuation())
        {
            tokens.push(token.to_owned());
        }
        rest = after;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of a literal whose contents start at `from`, with its `end`.
fn string(text: &str, from: usize, escape: char, end: &str) -> usize {
    let mut at = from;
    while let Some(c) = text[at..].chars().next() {
        if c == escape {
            at += 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8);
        } else if text[at..].starts_with(end) {
            return at + end.len();
        } else {
            at += c.len_utf8();
        }
    }
    text.len()
}

/// The length of a string with a prefix, such as `r#"..."#` or `b"..."`, at the start of `text`.
fn literal(text: &str) -> Option<usize> {
    let letters = text.trim_start_matches(['b', 'c', 'r']);
    let after = letters.trim_start_matches('#');
    let (prefix, hashes) = (text.len() - letters.len(), letters.len() - after.len());
    let is_raw = text[..prefix].contains('r');
    if prefix > 2 || !after.starts_with('"') || (hashes > 0 && !is_raw) {
        return None;
    }
    // A raw string has no escapes: NUL stands for none.
    let escape = if is_raw { '\0' } else { '\\' };
    let end = format!("\"{}", "#".repeat(hashes));
    Some(string(text, prefix + hashes + 1, escape, &end))
}

/// The length of a character literal, or of the quote of a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => string(text, 1, '\\', "'"),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 1,
    }
}

fn without_tests(tokens: Vec<String>) -> Vec<String> {
    const GATE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].iter().zip(GATE).filter(|(token, gate)| token == gate).count() == GATE.len()
        {
            at = end_of_item(&tokens, at + GATE.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The position after the item at `from`, which ends with `;` or with its braces.
fn end_of_item(tokens: &[String], from: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return at + 1,
            "}" => depth -= 1,
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

#[test]
fn comments_literals_and_tests_are_left_out() {
    let text = r##"
        // crate::comment
        /* crate::comment */
        use crate::a::{B, c as d};
        const TEXT: &str = "crate::text \" \\";
        fn f<'a>(x: &'a str) -> char { '"'; b"{"; r#"crate::"raw"#; '\''; g::<u8>(r.x) }
        #[cfg(test)]
        mod tests { use crate::only_in_tests; fn g() {} }
        fn h() {}
    "##;
    let text = without_tests(split(text)).join(" ");
    assert!(text.starts_with("use crate :: a :: { B , c as d } ; const TEXT"), "{text}");
    assert!(text.contains("- > char { ; ; ; ; g :: < u8 > ( r . x ) } fn h ( ) { }"), "{text}");
    assert!(!text.contains("crate :: text") && !text.contains("only_in_tests"), "{text}");
}
