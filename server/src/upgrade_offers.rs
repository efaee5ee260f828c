//! Offers to go on in another protocol, as Java's HTTP client makes them with every request.
//!
//! A server may ignore an offer (RFC 9110, section 7.8). actix-http does not: it closes the
//! connection after the response, and takes all that follows an offer of `websocket` for the body.
//! So offers are hidden from it.

/// As long as `upgrade`, and has no meaning.
const HIDDEN: &[u8; 7] = b"x-offer";
const UPGRADE: &[u8; 7] = b"upgrade";

/// Hides the name of a header line, if that is `Upgrade`.
pub(crate) fn hide_name(line: &mut [u8]) {
    if let Some((name, [b':', ..])) = line.split_at_mut_checked(UPGRADE.len()) {
        hide(name);
    }
}

/// Hides the option `upgrade` in the value of `Connection`.
pub(crate) fn hide_option(value: &mut [u8]) {
    for option in value.split_mut(|byte| *byte == b',') {
        let start = option.len() - option.trim_ascii_start().len();
        let len = option.trim_ascii().len();
        hide(&mut option[start..start + len]);
    }
}

fn hide(text: &mut [u8]) {
    if text.eq_ignore_ascii_case(UPGRADE) {
        text.copy_from_slice(HIDDEN);
    }
}

#[cfg(test)]
mod tests {
    use super::{hide_name, hide_option};

    #[track_caller]
    fn assert_hides(hide: fn(&mut [u8]), text: &str, expected: &str) {
        let mut bytes = text.as_bytes().to_vec();
        hide(&mut bytes);
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn offers_lose_their_meaning_and_nothing_else_does() {
        for (line, expected) in [
            ("Upgrade: h2c", "x-offer: h2c"),
            ("UPGRADE:websocket", "x-offer:websocket"),
            ("Upgrade-Insecure-Requests: 1", "Upgrade-Insecure-Requests: 1"),
            ("Upgraded: 1", "Upgraded: 1"),
            ("upgrade", "upgrade"),
        ] {
            assert_hides(hide_name, line, expected);
        }
        for (value, expected) in [
            (" Upgrade, HTTP2-Settings", " x-offer, HTTP2-Settings"),
            ("keep-alive,UPGRADE\t", "keep-alive,x-offer\t"),
            (" close , upgrade, upgrade", " close , x-offer, x-offer"),
            (" upgraded, up, , ", " upgraded, up, , "),
            ("", ""),
        ] {
            assert_hides(hide_option, value, expected);
        }
    }
}
