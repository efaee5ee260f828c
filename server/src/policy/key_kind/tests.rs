use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::{KeyKind, MAX_FORM_LEN};

fn of(key: &str, ipv6_prefix: u8) -> Option<String> {
    KeyKind::Ip { ipv6_prefix }.normalize(key).map(|form| form.into_owned())
}

/// An address with as many zeros and shared bits as real ones have.
fn ipv6() -> impl Strategy<Value = Ipv6Addr> {
    let group = prop_oneof![Just(0), Just(1), Just(0xffff), any::<u16>()];
    prop::array::uniform8(group).prop_map(Ipv6Addr::from)
}

/// The bits that name the network of an address.
fn network(address: Ipv6Addr, ipv6_prefix: u8) -> String {
    let bits: String = address.octets().iter().map(|octet| format!("{octet:08b}")).collect();
    bits[..usize::from(ipv6_prefix)].to_owned()
}

#[test]
fn text_keeps_its_bytes() {
    for key in ["user:42", " 192.0.2.1", "::ffff:192.0.2.1", "2001:DB8::1", "é"] {
        assert_eq!(KeyKind::Text.normalize(key).as_deref(), Some(key));
    }
}

#[test]
fn an_address_has_one_form_however_it_is_written() {
    for (form, keys) in [
        (
            "192.0.2.1",
            &[
                "192.0.2.1",
                " 192.0.2.1\t",
                "192.0.2.1:5678",
                "192.0.2.1:0",
                "::ffff:192.0.2.1",
                "::FFFF:c000:0201",
                "::ffff:c000:201",
                "0:0:0:0:0:ffff:192.0.2.1",
                "0000:0000:0000:0000:0000:ffff:c000:0201",
                "[::ffff:192.0.2.1]",
                "[::ffff:192.0.2.1]:443",
            ][..],
        ),
        (
            "2001:db8::/64",
            &[
                "2001:db8::",
                "2001:db8::1",
                "2001:DB8:0:0::1",
                "2001:0db8:0000:0000:ffff:ffff:ffff:ffff",
                "2001:db8::192.0.2.1",
                "[2001:db8::1]",
                "[2001:db8::1]:443",
                "2001:db8::1:443",
                "2001:db8::2%eth0",
                "[2001:db8::2%25eth0.100]:65535",
                "2001:db8::/64",
                "2001:db8::1/64",
            ],
        ),
        ("2001:db8:0:1::/64", &["2001:db8:0:1::", "2001:db8::1:0:0:0:1"]),
        ("fe80::/64", &["fe80::1%eth0", "fe80::1%2", "fe80::2"]),
        // IPv4-compatible, and translated by NAT64: IPv6.
        ("::/64", &["::", "::1", "::192.0.2.1", "::c000:201"]),
        ("64:ff9b::/64", &["64:ff9b::192.0.2.1"]),
    ] {
        for key in keys {
            assert_eq!(of(key, 64).as_deref(), Some(form), "{key}");
        }
    }
    for (prefix, form) in
        [(56, "2001:db8::/56"), (64, "2001:db8:0:42::/64"), (128, "2001:db8:0:42::7")]
    {
        assert_eq!(of("2001:DB8:0:42::7", prefix).as_deref(), Some(form));
    }
    for (prefix, form) in [
        (32, "2001:db8::/32"),
        (47, "2001:db8:fffe::/47"),
        (48, "2001:db8:ffff::/48"),
        (56, "2001:db8:ffff:ff00::/56"),
        (127, "2001:db8:ffff:ffff::fffe/127"),
        (128, "2001:db8:ffff:ffff::ffff"),
    ] {
        assert_eq!(of("2001:db8:ffff:ffff::ffff", prefix).as_deref(), Some(form));
        assert_eq!(of("::ffff:192.0.2.1", prefix).as_deref(), Some("192.0.2.1"));
    }
    assert_eq!(of("2001:db8::1/128", 128).as_deref(), Some("2001:db8::1"));
}

#[test]
fn anything_else_is_no_address() {
    for key in [
        "",
        " ",
        "user:42",
        "unknown",
        "localhost:80",
        "unix:",
        // Lists, whose beginning comes from the client.
        "192.0.2.1, 198.51.100.1",
        "192.0.2.1,198.51.100.1",
        "192.0.2.1 198.51.100.1",
        "2001:db8::1, 192.0.2.1",
        "2001:db8::1%eth0, 192.0.2.1",
        "[2001:db8::1]:80, 192.0.2.1",
        "192.0.2.1:80, 198.51.100.1:80",
        // RFC 7239.
        "for=192.0.2.1",
        "\"[2001:db8::1]:4711\"",
        "_hidden",
        // IPv4 in forms that programs read in different ways.
        "010.0.0.1",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.1.",
        "0xc0000201",
        "3221225985",
        "192.0.2.1/32",
        "192.0.2.0/24",
        "[192.0.2.1]",
        "[192.0.2.1]:80",
        "::ffff:192.0.2.1:80",
        // Ports.
        "192.0.2.1:",
        "192.0.2.1:+80",
        "192.0.2.1:65536",
        "192.0.2.1:80:80",
        "192.0.2.1:http",
        "[2001:db8::1]:",
        "[2001:db8::1]80",
        "[2001:db8::1]:80:80",
        // IPv6.
        ":",
        ":::",
        "2001:db8::1::",
        "2001:db8:0:1:2:3:4:5:443",
        "2001:db8::12345",
        "[2001:db8::1",
        "2001:db8::1]",
        "[[2001:db8::1]]",
        "[ 2001:db8::1 ]",
        // Zones and networks.
        "2001:db8::1%",
        "2001:db8::1%eth 0",
        "2001:db8::1%a%b",
        "192.0.2.1%eth0",
        "2001:db8::1%eth0/64",
        "2001:db8::/48",
        "2001:db8::/65",
        "2001:db8::/064",
        "2001:db8::/+64",
        "2001:db8::/",
        "[2001:db8::/64]",
        "[2001:db8::]/64",
        "::ffff:192.0.2.1/64",
        "2001:db8::\u{661}",
    ] {
        assert_eq!(of(key, 64), None, "{key}");
    }
}

proptest! {
    #[test]
    fn two_addresses_share_a_form_if_they_share_the_prefix(
        one in ipv6(),
        other in ipv6(),
        prefix in KeyKind::IPV6_PREFIXES,
        // Bits of `one` that `other` shares.
        shared in 0..=128_u32,
    ) {
        let mask = u128::MAX.checked_shr(shared).unwrap_or(0);
        let other = Ipv6Addr::from_bits(one.to_bits() & !mask | other.to_bits() & mask);
        let expected = match (one.to_canonical(), other.to_canonical()) {
            (IpAddr::V6(one), IpAddr::V6(other)) => {
                network(one, prefix) == network(other, prefix)
            }
            (one, other) => one == other,
        };
        let forms = [one, other].map(|address| of(&address.to_string(), prefix).unwrap());
        prop_assert_eq!(forms[0] == forms[1], expected, "{} {}", one, other);
    }

    #[test]
    fn a_form_is_its_own_form(address in ipv6(), prefix in KeyKind::IPV6_PREFIXES) {
        let form = of(&address.to_string(), prefix).unwrap();
        prop_assert_eq!(of(&form, prefix), Some(form));
    }

    #[test]
    fn every_way_to_write_an_address_is_read(
        address in ipv6(),
        prefix in KeyKind::IPV6_PREFIXES,
        port: u16,
    ) {
        let form = of(&address.to_string(), prefix);
        let long = address.segments().map(|group| format!("{group:04X}")).join(":");
        for text in [long, format!("[{address}]"), format!("[{address}]:{port}")] {
            prop_assert_eq!(of(&text, prefix), form.clone());
        }
    }

    #[test]
    fn ipv4_addresses_share_nothing(one: Ipv4Addr, port: u16, prefix in KeyKind::IPV6_PREFIXES) {
        for key in [
            format!("{one}"),
            format!("{one}:{port}"),
            format!("{}", one.to_ipv6_mapped()),
            format!("[{}]:{port}", one.to_ipv6_mapped()),
        ] {
            prop_assert_eq!(of(&key, prefix), Some(one.to_string()));
        }
    }

    #[test]
    fn no_text_panics(
        key in "[0-9a-f:.%/\\[\\] ]{0,40}|.{0,40}",
        prefix in KeyKind::IPV6_PREFIXES,
    ) {
        if let Some(form) = of(&key, prefix) {
            prop_assert_eq!(of(&form, prefix), Some(form.clone()));
            prop_assert!(form.len() <= MAX_FORM_LEN);
        }
    }
}
