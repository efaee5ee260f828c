use actix_web::http::header::HeaderValue;
use rl_bucket::Limit;

use super::{Limits, NamedLimit, Policies, Policy};

fn read(text: &str) -> Result<Policies, String> {
    Policies::read(text.as_bytes()).map_err(|error| error.to_string())
}

/// `name capacity rate` of each limit that applies to a key.
fn limits(policies: &Policies, policy: &str, key: &str) -> Vec<String> {
    let Limits::Shared(limits) = policies.by_name[policy].limits(key) else {
        panic!("limits of a policy");
    };
    let text = |limit: &NamedLimit| {
        format!("{} {} {}", limit.name, limit.limit.capacity(), limit.limit.rate())
    };
    limits.iter().map(text).collect()
}

#[test]
fn the_limits_of_a_policy_are_described_once_and_those_of_an_override_for_themselves() {
    let policies = read(
        r#"
        policies.default = { capacity = 1, rate = 1, overrides.vip = { capacity = 9 } }
        "#,
    );
    let default = &policies.unwrap().by_name["default"];
    let inline = Limits::inline(Limit::parse("1", "1").unwrap());
    for (limits, text, expected) in [
        (default.limits("a"), "first", "first"),
        (default.limits("b"), "second", "first"),
        (default.limits("vip"), "third", "third"),
        (default.limits("vip"), "fourth", "third"),
        (inline.clone(), "fifth", "fifth"),
        (inline, "sixth", "sixth"),
    ] {
        assert_eq!(limits.header(|| HeaderValue::from_static(text)), expected);
    }
}

#[test]
fn an_override_changes_what_it_mentions() {
    let policies = read(
        r#"
        [policies.default]
        capacity = 100
        rate = "100/m"
        overrides."vip:1" = { capacity = 1000 }
        overrides."vip:2" = { capacity = "0.5", rate = 2.5 }

        [policies.api]
        on_error = "closed"
        mode = "shadow"
        limits = [
          { name = "burst", capacity = 20, rate = "10/s" },
          { name = "day", capacity = 10000, rate = "10000/d" },
        ]
        [policies.api.overrides."vip:1"]
        limits = [{ name = "day", rate = "20000/d" }]
        "#,
    )
    .unwrap();
    assert_eq!(policies.by_name.len(), 2);
    assert!(policies.inline.is_none(), "inline limits are off with a file");
    assert_eq!(limits(&policies, "default", "x"), ["default 100 100/m"]);
    assert_eq!(limits(&policies, "default", "vip:1"), ["default 1000 100/m"]);
    assert_eq!(limits(&policies, "default", "vip:2"), ["default 0.5 2.5"]);
    assert_eq!(limits(&policies, "api", "x"), ["burst 20 10/s", "day 10000 10000/d"]);
    assert_eq!(limits(&policies, "api", "vip:1"), ["burst 20 10/s", "day 10000 20000/d"]);
    let (default, api) = (&policies.by_name["default"], &policies.by_name["api"]);
    assert_eq!((default.on_error.name(), default.is_shadow), ("local", false));
    assert_eq!((api.on_error.name(), api.is_shadow), ("closed", true));

    let bucket_key = |policy: &Policy| policy.bucket_key("k", &policy.limits("k")[0]);
    assert_eq!(bucket_key(default), b"rl:{k}:default");
    assert_eq!(bucket_key(api), b"rl:{k}:api:burst");
}

#[test]
fn numbers_follow_the_grammar_of_the_bucket() {
    let policies = read(
        r#"
        [policies.default]
        capacity = 1.0E7
        rate = 1.6666666666666667
        overrides."vip:1" = { capacity = 1e3, rate = "1e-07" }
        overrides."vip:2" = { rate = 1e-07 }

        [policies.monthly]
        capacity = 5
        rate = "5/30d"
        "#,
    )
    .unwrap();
    assert_eq!(limits(&policies, "default", "x"), ["default 10000000 1.6666666666666667"]);
    assert_eq!(limits(&policies, "default", "vip:1"), ["default 1000 0.0000001"]);
    assert_eq!(limits(&policies, "default", "vip:2"), ["default 10000000 0.0000001"]);
    assert_eq!(limits(&policies, "monthly", "x"), ["monthly 5 5/30d"]);
    for number in ["inf", "nan", "+5", "0x10", "1_000", "true", "\"\"", "\" 5\"", "\".5\""] {
        let text = format!("[policies.a]\ncapacity = {number}\nrate = 1");
        let error = read(&text).unwrap_err();
        assert!(error.contains("line 2, column 12: capacity must be 1 to 10 digits"), "{error}");
    }
}

#[test]
fn a_limit_has_the_name_of_its_policy_or_its_own() {
    let policies = read(
        r#"
        [policies.default]
        capacity = 4
        rate = "2/s"
        [policies.api]
        limits = [
          { name = "burst", capacity = 20, rate = "10/s" },
          { name = "day", capacity = 100, rate = "100/d" },
        ]
        "#,
    )
    .unwrap();
    let limit = |name: &str| {
        policies.limit(name).map(|limit| format!("{} {}", limit.capacity(), limit.rate()))
    };
    assert_eq!(limit("default"), Ok("4 2/s".to_owned()));
    assert_eq!(limit("api:day"), Ok("100 100/d".to_owned()));
    for (name, reason) in [
        ("api", "the policy has several limits: name one, as POLICY:LIMIT"),
        ("api:hour", "no limit of the policy has this name; there are burst, day"),
        ("default:default", "no limit of the policy has this name"),
        ("none", "no policy has this name; there are api, default"),
    ] {
        assert_eq!(limit(name), Err(reason.to_owned()));
    }
}

#[test]
fn of_many_policies_the_nearest_are_named() {
    let names = ["log-in", "login", "search", "upload", "a", "b", "c", "d", "e", "f"];
    let table = |name: &str| format!("[policies.{name}]\ncapacity = 1\nrate = 1\n");
    let policies = read(&names.map(table).concat()).unwrap();
    assert_eq!(
        policies.limit("logn").unwrap_err(),
        "no policy has this name; the nearest are login, log-in, a, b, c, d, e, f"
    );
}

#[test]
fn different_files_have_different_hashes() {
    let [one, two] = ["inline = true", "inline = true "].map(|text| read(text).unwrap());
    assert!(one.inline.is_some());
    assert_eq!(one.hash.len(), 16);
    assert_ne!(one.hash, two.hash);
    assert_eq!(one.hash, read("inline = true").unwrap().hash);
}

#[test]
fn errors_name_the_place_and_the_rule() {
    for (text, expected) in [
        ("", "line 1, column 1: a file must define 1 to 1000 policies"),
        ("policies = 1", "line 1, column 12: invalid type: integer, expected"),
        ("polices = {}", "line 1, column 1: unknown field `polices`, expected"),
        ("[policies.a]\ncapacity = 1\nrate = \"1/s\"\nburst = 2", "line 4, column 1: unknown"),
        ("[policies.a]\ncapacity = ", "line 2, column 12: "),
        ("[policies.a]\n[policies.a]", "line 2, column "),
        ("[policies.a]", "line 1, column 11: a policy must have"),
        ("[policies.a]\ncapacity = 1", "line 2, column 12: capacity and rate must be given"),
        ("[policies.a]\nrate = 1", "line 2, column 8: capacity and rate must be given"),
        ("[policies.a]\ncapacity = 0\nrate = 1", "line 2, column 12: capacity must be"),
        ("[policies.a]\ncapacity = 1e10\nrate = 1", "line 2, column 12: capacity must be above 0"),
        ("[policies.a]\ncapacity = 1_0\nrate = 1", "line 2, column 12: capacity must be"),
        ("[policies.a]\ncapacity = -1\nrate = 1", "line 2, column 12: capacity must be"),
        ("[policies.a]\ncapacity = inf\nrate = 1", "line 2, column 12: capacity must be"),
        ("[policies.a]\ncapacity = [1]\nrate = 1", "line 2, column 12: capacity must be"),
        ("[policies.a]\ncapacity = 1\nrate = \"1/w\"", "line 3, column 8: rate must be"),
        ("policies.a = {capacity = 1, rate = true}", "line 1, column 36: rate must be"),
        ("[policies.inline]\ncapacity = 1\nrate = 1", "line 1, column 11: the name inline"),
        ("[policies.\"a:b\"]\ncapacity = 1\nrate = 1", "line 1, column 11: a name must be"),
        ("[policies.\"\"]\ncapacity = 1\nrate = 1", "line 1, column 11: a name must be"),
        ("[policies.a]\nlimits = []", "line 2, column 10: limits must be 1 to 16"),
        ("[policies.a]\ncapacity = 1\nlimits = []", "line 3, column 10: a policy must have"),
        ("policies.a.limits = [{name=\"x\"}]", "line 1, column 22: capacity and rate"),
        ("policies.a.limits = [{capacity=1}]", "line 1, column 22: missing field `name`"),
        (
            "policies.a.limits = [{name=\"x\",capacity=1,rate=1},{name=\"x\",capacity=1,rate=1}]",
            "line 1, column 57: the limits of a policy must",
        ),
        (
            "[policies.a]\ncapacity = 1\nrate = 1\non_error = \"ajar\"",
            "line 4, column 12: unknown variant `ajar`",
        ),
        ("[policies.a]\ncapacity = 1\nrate = 1\nmode = \"\"", "line 4, column 8: unknown variant"),
        ("[policies.a]\ncapacity = 1\nrate = 1\noverrides.\"\" = {}", "line 4, column 11: the key"),
        (
            "[policies.a]\ncapacity = 1\nrate = 1\noverrides.k = {}",
            "line 4, column 11: an override",
        ),
        (
            "[policies.a]\ncapacity = 1\nrate = 1\noverrides.k = { limits = [] }",
            "line 4, column 11: an override of this policy must have capacity",
        ),
        (
            "[policies.a]\nlimits = [{name=\"x\",capacity=1,rate=1}]\n\
             overrides.k = { limits = [{name=\"y\",rate=1}] }",
            "line 3, column 33: no limit of the policy has this name",
        ),
        (
            "[policies.a]\nlimits = [{name=\"x\",capacity=1,rate=1}]\noverrides.k = { rate = 1 }",
            "line 3, column 11: an override of this policy must have limits",
        ),
        (
            "[policies.a]\ncapacity = 1\nrate = 1\nkey = \"address\"",
            "line 4, column 7: unknown variant `address`, expected `text` or `ip`",
        ),
        (
            "[policies.a]\ncapacity = 1\nrate = 1\nipv6_prefix = 64",
            "line 4, column 15: ipv6_prefix must come",
        ),
        (
            "[policies.a]\ncapacity = 1\nrate = 1\nkey = \"text\"\nipv6_prefix = 64",
            "line 5, column 15: ipv6_prefix must come with key = \"ip\"",
        ),
        ("t0psecret = 1", "line 1, column 1: unknown field, expected"),
    ] {
        let error = read(text).err().unwrap_or_default();
        assert!(error.starts_with(expected), "{text}\n-> {error}");
    }
    let latin = Policies::read(b"# \xe9").err().unwrap();
    assert_eq!(latin.to_string(), "line 1, column 3: the file must be UTF-8");
}

/// A policy by IP address with these further lines.
fn by_address(lines: &str) -> String {
    format!("[policies.a]\ncapacity = 1\nrate = 1\nkey = \"ip\"\n{lines}")
}

#[test]
fn keys_are_text_unless_the_policy_says_ip() {
    let form = |text: &str, key: &str| {
        read(text).unwrap().by_name["a"].normalize(key).map(|form| form.into_owned())
    };
    let text = by_address("").replace("\"ip\"", "\"text\"");
    for text in [&text, "[policies.a]\ncapacity = 1\nrate = 1"] {
        assert_eq!(form(text, "2001:DB8::1"), Some("2001:DB8::1".to_owned()));
    }
    for (lines, expected) in [
        ("", "2001:db8::/64"),
        ("ipv6_prefix = 32", "2001:db8::/32"),
        ("ipv6_prefix = 128", "2001:db8::1"),
    ] {
        assert_eq!(form(&by_address(lines), "2001:DB8::1"), Some(expected.to_owned()));
        assert_eq!(form(&by_address(lines), "user:42"), None);
    }
    for prefix in ["31", "129", "0", "-64", "64.0", "\"64\"", "320", "[64]"] {
        let error = read(&by_address(&format!("ipv6_prefix = {prefix}"))).unwrap_err();
        let rule = "line 5, column 15: ipv6_prefix must be a whole number from 32 to 128";
        assert_eq!(error, rule, "{prefix}");
    }
}

#[test]
fn an_override_of_an_address_is_for_its_bucket() {
    let policies = read(&by_address(
        "overrides.\"2001:DB8::7\" = { capacity = 2 }\n\
         overrides.\"::ffff:192.0.2.1\" = { capacity = 3 }\n\
         overrides.\"2001:db8:0:1::/64\" = { capacity = 4 }",
    ));
    let policies = policies.unwrap();
    for (key, expected) in [
        ("2001:db8::1", "a 2 1"),
        ("192.0.2.1:80", "a 3 1"),
        ("2001:db8:0:1::1", "a 4 1"),
        ("2001:db8:0:2::1", "a 1 1"),
    ] {
        let form = policies.by_name["a"].normalize(key).unwrap();
        assert_eq!(limits(&policies, "a", &form), [expected], "{key}");
    }
    for (first, second) in [
        ("2001:db8::2", "2001:db8::1"),
        ("2001:db8::/64", "2001:db8::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ] {
        let line = |key| format!("overrides.\"{key}\" = {{ capacity = 2 }}\n");
        for keys in [[first, second], [second, first]] {
            assert_eq!(
                read(&by_address(&keys.map(line).concat())).unwrap_err(),
                "line 6, column 11: another override is for the same address or network"
            );
        }
    }
    for key in ["user:42", "192.0.2.0/24", "2001:db8::/48", "192.0.2.1, 192.0.2.2"] {
        let error = read(&by_address(&format!("overrides.\"{key}\" = {{ capacity = 2 }}")));
        assert_eq!(
            error.unwrap_err(),
            "line 5, column 11: the key of an override must be an IP address, or an IPv6 network \
             of ipv6_prefix bits: the policy has key = \"ip\"",
            "{key}"
        );
    }
}
