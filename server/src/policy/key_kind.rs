//! The kinds of keys: text as it is, and IP addresses, of which each bucket has one form.
//!
//! Whoever has an IPv6 address usually has the rest of its network too, so the network is the key.
//! An IPv4 address that was received by IPv6 (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2) is the
//! IPv4 address.

use std::{
    borrow::Cow,
    fmt::{self, Write},
    net::{Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
};

/// How a policy reads its keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum KeyKind {
    /// Any text. Two keys are the same if their bytes are.
    #[default]
    Text,
    /// IP addresses. An IPv4 address is one key, and so is an IPv6 network.
    Ip {
        /// The bits that name a network.
        ipv6_prefix: u8,
    },
}

/// The longest form: 39 bytes of an IPv6 address and 4 of its prefix.
const MAX_FORM_LEN: usize = 43;

// === impl KeyKind ===

impl KeyKind {
    /// The `ipv6_prefix` of a policy that sets none: the network of one link (RFC 7421), in which a
    /// device chooses its own addresses (RFC 8981).
    pub(super) const IPV6_PREFIX: u8 = 64;

    /// The valid values of `ipv6_prefix`. The smallest network of a provider has 32 bits, so a
    /// shorter prefix would throw the customers of several together.
    pub(super) const IPV6_PREFIXES: RangeInclusive<u8> = 32..=128;

    /// The form of `key` that names its buckets; `None` if it is not of this kind. The form is a
    /// key too, with itself as its form.
    pub(super) fn normalize(self, key: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Text => Some(Cow::Borrowed(key)),
            Self::Ip { ipv6_prefix } => normalize_ip(key.trim_ascii(), ipv6_prefix),
        }
    }
}

/// The form of an address: alone, with a port, with a zone, in brackets, or as the network itself.
fn normalize_ip(text: &str, ipv6_prefix: u8) -> Option<Cow<'_, str>> {
    // An IPv4 address has one form: octets with leading zeros are not accepted.
    if is_ipv4(text) {
        return Some(Cow::Borrowed(text));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
            return None;
        }
        return ipv6(address).map(|it| address_form(it, ipv6_prefix));
    }
    if let Some((network, bits)) = text.split_once('/') {
        if bits.parse() != Ok(ipv6_prefix) || bits.starts_with(['+', '0']) {
            return None;
        }
        let network = network.parse::<Ipv6Addr>().ok()?;
        return network.to_ipv4_mapped().is_none().then(|| network_form(network, ipv6_prefix));
    }
    match text.split_once(':') {
        // Two colons at least are in every IPv6 address.
        Some((address, port)) if is_port(port) => {
            is_ipv4(address).then_some(Cow::Borrowed(address))
        }
        _ => ipv6(text).map(|it| address_form(it, ipv6_prefix)),
    }
}

fn address_form(address: Ipv6Addr, ipv6_prefix: u8) -> Cow<'static, str> {
    match address.to_ipv4_mapped() {
        Some(ipv4) => written(format_args!("{ipv4}")),
        None => network_form(address, ipv6_prefix),
    }
}

/// The network of an address in the form of RFC 5952, as `2001:db8::/64`; of all 128 bits without
/// their number, as `2001:db8::1`.
fn network_form(address: Ipv6Addr, ipv6_prefix: u8) -> Cow<'static, str> {
    let host_bits = u32::from(128 - ipv6_prefix);
    let network = Ipv6Addr::from_bits(address.to_bits() >> host_bits << host_bits);
    match host_bits {
        0 => written(format_args!("{network}")),
        _ => written(format_args!("{network}/{ipv6_prefix}")),
    }
}

/// A form as text, in one allocation.
fn written(form: fmt::Arguments<'_>) -> Cow<'static, str> {
    let mut text = String::with_capacity(MAX_FORM_LEN);
    // Writing to a string does not fail.
    let _ = text.write_fmt(form);
    Cow::Owned(text)
}

fn is_ipv4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

/// An IPv6 address. A zone (RFC 4007) is left out: it names an interface of the machine that saw
/// the address.
fn ipv6(text: &str) -> Option<Ipv6Addr> {
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_zone = !zone.is_empty() && zone.bytes().all(good);
    address.parse().ok().filter(|_| is_zone)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests;
