//! Odd numbers, values and payloads: the server lives, and no foreign value changes.

use std::time::Duration;

use redis::{Connection, Value};
use rl_bucket::Bucket;
use rl_store::redis::{COMMANDS, CommandKind};
use rl_tests::{Flavour, RedisServer, Setup, eventually, skip};

/// The commands that fail on a value that is no bucket.
const ONE_BUCKET: [CommandKind; 6] = [
    CommandKind::Check,
    CommandKind::Peek,
    CommandKind::Take,
    CommandKind::Refund,
    CommandKind::Charge,
    CommandKind::CheckAll,
];

fn bucket(server: &RedisServer) -> Vec<u8> {
    server.run::<Value>("RL.CHECK good 100 1/d 30");
    server.run("GET good")
}

fn call(
    connection: &mut Connection,
    command: CommandKind,
    key: &str,
) -> redis::RedisResult<Vec<i64>> {
    redis::cmd(COMMANDS[command as usize].name).arg(&[key, "100", "1/d", "1"]).query(connection)
}

fn store(connection: &mut Connection, value: &[u8]) {
    redis::cmd("SET").arg("k").arg(value).exec(connection).expect("SET");
}

fn stored(connection: &mut Connection) -> Vec<u8> {
    redis::cmd("GET").arg("k").query(connection).expect("GET")
}

/// Asserts that every command and script uses a value if it is a bucket, and otherwise refuses it
/// and leaves it alone.
fn assert_withstood(connection: &mut Connection, value: &[u8]) {
    let is_bucket = Bucket::decode(value).is_some();
    for command in ONE_BUCKET {
        store(connection, value);
        let answer = call(connection, command, "k");
        assert_eq!(answer.is_ok(), is_bucket, "{command:?} on {value:02x?}: {answer:?}");
        if !is_bucket {
            assert_eq!(
                answer.unwrap_err().code(),
                Some("WRONGTYPE"),
                "{command:?} on {value:02x?}"
            );
            assert_eq!(stored(connection), value, "{command:?}");
        }
        store(connection, value);
        let mut eval = redis::cmd("EVAL");
        eval.arg(COMMANDS[command as usize].script).arg(1).arg(&["k", "100", "0.00001", "1"]);
        let answer = eval.query::<Vec<i64>>(connection);
        assert_eq!(answer.is_ok(), is_bucket, "{command:?} in Lua on {value:02x?}: {answer:?}");
        if !is_bucket {
            assert_eq!(stored(connection), value, "{command:?} in Lua");
        }
    }
}

#[test]
fn odd_numbers_in_every_place_of_every_command() {
    let server = Setup::with_module().start();
    let mut connection = server.connect();
    let digits = "9".repeat(10_000);
    let invalid = [
        "",
        " ",
        "-1",
        "-0",
        "+5",
        " 5",
        "5 ",
        "5\t",
        "5\n",
        "5\0",
        ".5",
        "5.",
        "1.2.3",
        "1e",
        "e3",
        "1e+",
        "1e1.5",
        "1.e1",
        "1e10",
        "1e400",
        "0x1p3",
        "0x10",
        "0b1",
        "1_0",
        "1,0",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "Infinity",
        "null",
        "1000000001",
        "2147483648",
        "4294967296",
        "9007199254740993",
        "9223372036854775807",
        "18446744073709551615",
        "12345678901",
        "12345678901e-5",
        "\u{0665}",
        "\u{ff15}",
        "\u{100}",
        "\u{10a}",
        "\r\n$1\r\n",
        digits.as_str(),
    ];
    let single = ["RL.CHECK", "RL.PEEK", "RL.TAKE", "RL.REFUND", "RL.CHARGE"];
    for command in single.into_iter().chain(["RL.MCHECK", "RL.CHECKALL"]) {
        for (place, name, more) in [
            (1, "capacity", &["0", "0.0", "05.", "1e-400", "1/s"][..]),
            (
                2,
                "rate",
                &[
                    "0",
                    "0.0000000009",
                    "1e-400",
                    "1/366000d",
                    "1/",
                    "1/w",
                    "1/0s",
                    "1/ms",
                    "/s",
                    "1//s",
                    "1/1.5s",
                    "1/1e1s",
                    "1/-1s",
                ],
            ),
            (3, "cost", &["1/s", "5/m"]),
        ] {
            for odd in invalid.iter().chain(more) {
                let mut words = ["k", "10", "1/d", "1"];
                words[place] = odd;
                // In a call of several checks the odd one is the last: no other may take tokens.
                let first: &[&str] =
                    if single.contains(&command) { &[] } else { &["j", "10", "1/d", "1"] };
                let mut call = redis::cmd(command);
                let refusal = call.arg(first).arg(&words).query::<Value>(&mut connection);
                let refusal = refusal.expect_err(&format!("{command} with the {name} {odd:?}"));
                let text = refusal.detail().unwrap_or_default();
                assert!(text.starts_with(&format!("{name} must be ")), "{command} {odd:?}: {text}");
            }
        }
    }
    assert_eq!(server.run::<i64>("DBSIZE"), 0);
    assert_eq!(server.run::<String>("PING"), "PONG");
}

#[test]
fn a_bucket_cut_short_at_every_length() {
    let server = Setup::with_module().start();
    let good = bucket(&server);
    let mut connection = server.connect();
    for len in 0..good.len() {
        assert_withstood(&mut connection, &good[..len]);
    }
    assert_withstood(&mut connection, &[good.as_slice(), b"x"].concat());
    assert_withstood(&mut connection, &good);
}

#[test]
fn a_bucket_changed_at_every_byte() {
    let server = Setup::with_module().start();
    let good = bucket(&server);
    let mut connection = server.connect();
    for at in 0..good.len() {
        for flip in [0x01, 0x40, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            assert_withstood(&mut connection, &bad);
        }
    }
    for special in
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300, -1e300, f64::MIN_POSITIVE]
    {
        for at in [1, 9, 17] {
            let mut bad = good.clone();
            bad[at..at + 8].copy_from_slice(&special.to_le_bytes());
            assert_withstood(&mut connection, &bad);
        }
    }
    assert_eq!(server.run::<String>("PING"), "PONG");
}

#[test]
fn values_of_foreign_clients() {
    let server = Setup::with_module().start();
    let mut connection = server.connect();
    for value in [&b"hello"[..], b"12345", b"3.14", b"", &[0; 25], &[0xff; 25], &[b'x'; 4096]] {
        assert_withstood(&mut connection, value);
    }
    for (make, key) in [
        ("LPUSH l 1", "l"),
        ("SADD s 1", "s"),
        ("ZADD z 1 a", "z"),
        ("HSET h a b", "h"),
        ("XADD x * a b", "x"),
        ("PFADD p a", "p"),
        ("SETBIT b 199 1", "b"),
    ] {
        server.run::<Value>(make);
        let before: Value = server.run(&format!("DUMP {key}"));
        for command in ONE_BUCKET {
            let refusal = call(&mut connection, command, key).expect_err("a refusal");
            assert_eq!(refusal.code(), Some("WRONGTYPE"), "{command:?} {key}");
        }
        assert_eq!(server.run::<i64>(&format!("RL.RESET {key}")), 0);
        assert_eq!(server.run::<Value>(&format!("DUMP {key}")), before, "{key}");
    }
}

#[test]
fn restored_payloads_are_checked_like_any_value() {
    let server = Setup::with_module().start();
    let good = bucket(&server);
    let payload: Vec<u8> = server.run("DUMP good");
    let mut connection = server.connect();
    for at in 0..payload.len() {
        let mut bad = payload.clone();
        bad[at] ^= 0x55;
        let mut restore = redis::cmd("RESTORE");
        restore.arg("k").arg(0).arg(&bad).arg("REPLACE");
        // The server refuses a payload with a wrong checksum; one that it accepts must do no harm.
        if restore.exec(&mut connection).is_ok() {
            let _ = call(&mut connection, CommandKind::Check, "k");
        }
    }
    redis::cmd("RESTORE")
        .arg("k")
        .arg(0)
        .arg(&payload)
        .arg("REPLACE")
        .exec(&mut connection)
        .unwrap();
    assert_eq!(stored(&mut connection), good);
    let answer = call(&mut connection, CommandKind::Peek, "k").expect("a bucket");
    assert_eq!(answer[..3], [1, 100, 70]);
    // It was restored without an expiry; the next check that moves the expiry sets one.
    assert_eq!(server.expires_at("k"), -1);
    for _ in 0..7 {
        server.run::<Value>("RL.CHECK k 100 1/d 10");
    }
    assert!(server.expires_at("k") > 0);
}

#[test]
fn a_bucket_survives_copy_rename_and_migration() {
    let server = Setup::with_module().start();
    let good = bucket(&server);
    let expires = server.expires_at("good");
    server.run::<Value>("COPY good copy");
    server.run::<Value>("RENAME good renamed");
    for key in ["copy", "renamed"] {
        assert_eq!(server.run::<Vec<u8>>(&format!("GET {key}")), good);
        assert_eq!(server.expires_at(key), expires);
        assert_eq!(server.run::<[i64; 5]>(&format!("RL.CHECK {key} 100 1/d 70"))[..3], [1, 100, 0]);
    }
    // To a server without the module and back.
    let other = Setup::plain().start();
    server.run::<Value>("RL.CHECK m 100 1/d 30");
    let (value, expires): (Vec<u8>, i64) = (server.run("GET m"), server.expires_at("m"));
    server.run::<Value>(&format!("MIGRATE 127.0.0.1 {} m 0 10000", other.port()));
    assert_eq!(other.run::<Vec<u8>>("GET m"), value);
    assert!((other.expires_at("m") - expires).abs() <= 1000);
    other.run::<Value>(&format!("MIGRATE 127.0.0.1 {} m 0 10000", server.port()));
    assert_eq!(server.run::<[i64; 5]>("RL.PEEK m 100 1/d")[..3], [1, 100, 70]);
}

#[test]
fn a_server_that_is_loading_says_so() {
    if Flavour::under_test().version < (7, 0) {
        skip!("before Redis 7.0 a loading server looks for commands every 2 MB only");
    }
    let server = Setup::with_module().start();
    for i in 0..300 {
        server.run::<Value>(&format!("RL.CHECK k{i} 100 1/d 30"));
    }
    server.run::<()>("CONFIG SET key-load-delay 5000"); // microseconds a key
    server.run::<()>("CONFIG SET loading-process-events-interval-bytes 1024");
    std::thread::scope(|scope| {
        scope.spawn(|| server.run::<()>("DEBUG RELOAD"));
        let mut connection = server.connect();
        eventually("checks are refused while it loads", Duration::from_secs(20), || {
            match call(&mut connection, CommandKind::Check, "k0") {
                Ok(_) => false,
                Err(error) => {
                    assert_eq!(error.code(), Some("LOADING"), "{error}");
                    true
                }
            }
        });
    });
    let answer = call(&mut server.connect(), CommandKind::Peek, "k299").expect("a bucket");
    assert_eq!(answer[..3], [1, 100, 70]);
}

#[test]
fn ten_thousand_checks_in_a_pipeline() {
    let server = Setup::with_module().start();
    let mut pipe = redis::pipe();
    for i in 0..10_000 {
        pipe.cmd("RL.CHECK").arg(&["k", "5000", "0.001", if i % 2 == 0 { "1" } else { "x" }]);
    }
    let replies = pipe.get_packed_pipeline();
    let mut connection = server.connect();
    let replies = redis::ConnectionLike::req_packed_commands(&mut connection, &replies, 0, 10_000);
    let replies = replies.expect("replies");
    assert_eq!(replies.len(), 10_000);
    let refused = replies.iter().filter(|reply| matches!(reply, Value::ServerError(_))).count();
    assert_eq!(refused, 5_000);
    assert_eq!(server.run::<[i64; 5]>("RL.PEEK k 5000 0.001")[2], 0);
}

#[test]
fn memory_full_under_every_policy() {
    for policy in ["noeviction", "allkeys-lru", "volatile-ttl", "volatile-lru", "allkeys-random"] {
        let server = Setup::with_module().option(&["maxmemory-policy", policy]).start();
        let mut connection = server.connect();
        // Room for some of the buckets, whatever a server needs for itself and for each.
        let used: u64 = server.info("used_memory").parse().expect("bytes");
        server.run::<()>(&format!("CONFIG SET maxmemory {}", used + (1 << 20)));
        let mut refused = 0;
        for i in 0..20_000 {
            let key = format!("flood:{i}");
            let answer: redis::RedisResult<[i64; 5]> = redis::cmd("RL.CHECK")
                .arg(&[key.as_str(), "100", "1/d", "1"])
                .query(&mut connection);
            match answer {
                Ok(answer) => assert_eq!(answer[..3], [1, 100, 99]),
                Err(error) => {
                    assert_eq!(error.code(), Some("OOM"), "{policy}: {error}");
                    refused += 1;
                }
            }
        }
        assert_eq!(refused > 0, policy == "noeviction", "{policy}: {refused} refused");
        assert_eq!(server.run::<String>("PING"), "PONG");
    }
}
