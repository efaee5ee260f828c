//! The contract of the `RL.*` commands.

use redis::Value;
use rl_store::redis::{COMMANDS, CommandKind};
use rl_tests::{Flavour, RedisServer, Setup};

/// A server with a stopped clock, so that every answer is exact.
fn frozen() -> RedisServer {
    let server = Setup::with_module().with_clock().start();
    server.freeze(START);
    server
}

const START: u64 = 1_700_000_000_000_000;
/// The longest wait that is reported.
const MAX_WAIT_MS: i64 = 8_000_000_000_000_000_000;

#[track_caller]
fn answers<const N: usize>(server: &RedisServer, command: &str, expected: [i64; N]) {
    let mut answer: [i64; N] = server.run(command);
    if Flavour::under_test().is_valkey {
        // Its clock is only close to where it was set: waits may be a few milliseconds off.
        for (value, expected) in answer.iter_mut().zip(expected) {
            if expected > 100 && (expected - 20..=expected + 20).contains(value) {
                *value = expected;
            }
        }
    }
    assert_eq!(answer, expected, "{command}");
}

#[test]
fn a_bucket_drains_and_refills() {
    let server = frozen();
    answers(&server, "RL.PEEK k 3 2/s", [1, 3, 3, 0, 0]);
    answers(&server, "RL.CHECK k 3 2/s", [1, 3, 2, 0, 500]);
    answers(&server, "RL.CHECK k 3 2/s 2", [1, 3, 0, 0, 1500]);
    answers(&server, "RL.CHECK k 3 2/s", [0, 3, 0, 500, 1500]);
    answers(&server, "RL.PEEK k 3 2/s 2", [0, 3, 0, 1000, 1500]);
    answers(&server, "RL.CHECK k 3 2/s 4", [0, 3, 0, -1, 1500]);
    answers(&server, "RL.CHECK k 3 2/s 0", [1, 3, 0, 0, 1500]);
    server.freeze(START + 520_000);
    answers(&server, "RL.PEEK k 3 2/s", [1, 3, 1, 0, 980]);
    answers(&server, "rl.check k 3 120/m 1", [1, 3, 0, 0, 1480]);
    answers(&server, "RL.CHECK other 0.5 10/d 0.25", [1, 0, 0, 0, 2_160_000]);
}

#[test]
fn numbers_are_read_as_languages_print_them() {
    let server = frozen();
    answers(&server, "RL.CHECK a 1.0E1 1.6666666666666667 1e0", [1, 10, 9, 0, 600]);
    answers(&server, "RL.CHECK a 1e+1 100/m 0.30000000000000004", [1, 10, 8, 0, 780]);
    answers(&server, "RL.CHECK a 10 1.6666666666666667e+00/s 2E-7", [1, 10, 8, 0, 780]);
    answers(&server, "RL.CHECK b 1 1e-07", [1, 1, 0, 0, 10_000_000_000]);
    // Once in 30 days, and once in 31 years.
    answers(&server, "RL.CHECK c 1 1/30d", [1, 1, 0, 0, 2_592_000_000]);
    answers(&server, "RL.CHECK d 1 1e-9", [1, 1, 0, 0, 1_000_000_000_000]);
    // The longest wait that is reported; the key lives as long.
    answers(&server, "RL.CHECK e 1e9 1e-9 1e9", [1, 1_000_000_000, 0, 0, MAX_WAIT_MS]);
    answers(&server, "RL.CHECK e 1e9 1e-9 1e9", [0, 1_000_000_000, 0, MAX_WAIT_MS, MAX_WAIT_MS]);
    let lives = server.run::<i64>("PTTL e") - MAX_WAIT_MS;
    // As for any expiry, plus a step of the double.
    assert!((1_000..62_100).contains(&lives), "{lives} ms longer");
    // Of any length.
    let long = format!("1.{}1", "0".repeat(100_000));
    answers(&server, &format!("RL.CHECK f {long} {long} {long}"), [1, 1, 0, 0, 1000]);
}

#[test]
fn refusals_are_constant_texts() {
    let server = Setup::with_module().start();
    let capacity = "ERR capacity must be 1 to 10 digits, optionally with decimals and an \
                    exponent, such as 100, 0.5 or 1e6";
    let capacity_bounds = "ERR capacity must be above 0 and at most 1000000000";
    let rate = "ERR rate must be 1 to 10 digits, optionally with decimals and an exponent, alone \
                or over a period of at most 10 digits and s, m, h or d, such as 10, 0.5, 100/m or \
                1/30d";
    let rate_bounds =
        "ERR rate must be at least 0.000000001 and at most 1000000000 tokens a second";
    let cost = "ERR cost must be 1 to 10 digits, optionally with decimals and an exponent, such as \
                1, 2.5 or 1e3";
    let cost_bounds = "ERR cost must be at least 0 and at most 1000000000";
    let wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value";

    server.run::<()>("SET text hello");
    server.run::<()>("SET number 12345");
    server.run::<()>("SET length 1234567890123456789012345");
    server.run::<()>("SETRANGE empty 0 ");
    server.run::<()>("LPUSH list a");
    server.run::<()>(
        "RPUSH list25 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25",
    );
    server.run::<()>("HSET hash a b");
    server.run::<()>("XADD stream * a b");

    for command in ["RL.CHECK", "RL.PEEK"] {
        let arity =
            format!("ERR wrong number of arguments for '{}' command", command.to_lowercase());
        for (arguments, refusal) in [
            ("", arity.as_str()),
            ("k", &arity),
            ("k 1", &arity),
            ("k 1 1 1 1", &arity),
            ("k 0 1", capacity_bounds),
            ("k -1 1", capacity),
            ("k nan 1", capacity),
            ("k inf 1", capacity),
            ("k 0x10 1", capacity),
            ("k 1e 1", capacity),
            ("k +1 1", capacity),
            ("k 12345678901 1", capacity),
            ("k 1e10 1", capacity_bounds),
            ("k 1000000001 1", capacity_bounds),
            ("k Ā 1", capacity),
            ("k \0 1", capacity),
            ("k 1 0", rate_bounds),
            ("k 1 10/", rate),
            ("k 1 10/y", rate),
            ("k 1 10/0s", rate_bounds),
            ("k 1 -10/s", rate),
            ("k 1 0.0000000009", rate_bounds),
            ("k 1 1/12000d", rate_bounds),
            ("k 1 1000000001", rate_bounds),
            ("k 1 1 -1", cost),
            ("k 1 1 1.", cost),
            ("k 1 1 .5", cost),
            ("k 1 1 1000000001", cost_bounds),
            ("k 1 1 1e999", cost_bounds),
            ("k 1 1 Ċ", cost),
            ("text 1 1", wrong_type),
            ("number 1 1", wrong_type),
            ("length 1 1", wrong_type),
            ("list 1 1", wrong_type),
            ("list25 1 1", wrong_type),
            ("hash 1 1", wrong_type),
            ("stream 1 1", wrong_type),
        ] {
            let line = format!("{command} {arguments}");
            // Redis 6.2 repeats the name of the command as it was written.
            let error = server.refusal(line.trim_end()).replace(command, &command.to_lowercase());
            assert_eq!(error, refusal, "{line}");
        }
    }
    // No foreign value was changed and no bucket was made.
    assert_eq!(server.run::<String>("GET text"), "hello");
    assert_eq!(server.run::<String>("OBJECT ENCODING text"), "embstr");
    assert_eq!(server.run::<String>("OBJECT ENCODING number"), "int");
    assert_eq!(server.run::<i64>("LLEN list25"), 25);
    assert_eq!(server.run::<i64>("EXISTS k"), 0);
}

#[test]
fn an_empty_string_is_not_a_missing_bucket() {
    let server = Setup::with_module().start();
    redis::cmd("SET").arg("empty").arg("").exec(&mut server.connect()).unwrap();
    assert!(server.refusal("RL.CHECK empty 1 1").starts_with("WRONGTYPE"));
    assert!(server.refusal("RL.PEEK empty 1 1").starts_with("WRONGTYPE"));
    assert_eq!(server.run::<i64>("STRLEN empty"), 0);
}

#[test]
fn amounts_are_taken_refunded_and_owed() {
    let server = frozen();
    answers(&server, "RL.TAKE k 10 2/s 4", [4, 1, 10, 6, 0, 2000]);
    answers(&server, "RL.TAKE k 10 2/s 100", [6, 1, 10, 0, 0, 5000]);
    answers(&server, "RL.TAKE k 10 2/s 1", [0, 0, 10, 0, 500, 5000]);
    answers(&server, "RL.REFUND k 10 2/s 3.5", [1, 10, 3, 0, 3250]);
    answers(&server, "RL.CHARGE k 10 2/s 5", [1, 10, -2, 0, 5750]);
    answers(&server, "RL.CHECK k 10 2/s 1", [0, 10, -2, 1250, 5750]);
    answers(&server, "RL.CHARGE k 10 2/s 1000000000", [1, 10, -10, 0, 10_000]);
    answers(&server, "RL.REFUND k 10 2/s 1000000000", [1, 10, 10, 0, 0]);
    answers(&server, "RL.REFUND missing 10 2/s 5", [1, 10, 10, 0, 0]);
    assert_eq!(server.run::<i64>("EXISTS missing"), 0);
}

#[test]
fn checks_of_one_mcheck_are_independent() {
    let server = frozen();
    server.run::<()>("SET text hello");
    answers(
        &server,
        "RL.MCHECK a 10 1 3 b 5 1 6 a 10 1 8",
        [1, 10, 7, 0, 3000, 0, 5, 5, -1, 0, 0, 10, 7, 1000, 3000],
    );
    answers(&server, "RL.MCHECK text 1 1 1 b 5 1 1", [-1, 0, 0, 0, 0, 1, 5, 4, 0, 1000]);
    let mut eval = redis::cmd("EVAL");
    eval.arg(COMMANDS[CommandKind::MCheck as usize].script)
        .arg(2)
        .arg(&["text", "c", "1", "1", "1", "5", "1", "1"]);
    let answer: Vec<i64> = eval.query(&mut server.connect()).unwrap();
    assert_eq!(answer[..8], [-1, 0, 0, 0, 0, 1, 5, 4]);
    assert_eq!(server.run::<String>("GET text"), "hello");
    // A call with an invalid argument takes nothing.
    assert!(server.refusal("RL.MCHECK b 5 1 1 c 0 1 1").starts_with("ERR capacity"));
    answers(&server, "RL.PEEK b 5 1", [1, 5, 4, 0, 1000]);
}

#[test]
fn checks_of_one_checkall_are_allowed_together_or_not_at_all() {
    let server = frozen();
    server.run::<()>("SET text hello");
    answers(&server, "RL.CHECKALL a 10 1 2 b 5 1 3", [1, -1, 1, 10, 8, 0, 2000, 1, 5, 2, 0, 3000]);
    answers(
        &server,
        "RL.CHECKALL a 10 1 2 b 5 1 3 c 1 1 2",
        [0, 1, 1, 10, 8, 0, 2000, 0, 5, 2, 1000, 3000, 0, 1, 1, -1, 0],
    );
    answers(&server, "RL.PEEK a 10 1", [1, 10, 8, 0, 2000]);
    // A bucket that is named twice pays twice, or not at all.
    answers(&server, "RL.CHECKALL d 5 1 2 d 5 1 3", [1, -1, 1, 5, 3, 0, 2000, 1, 5, 0, 0, 5000]);
    answers(&server, "RL.CHECKALL e 5 1 3 e 5 1 3", [0, 1, 1, 5, 5, 0, 0, 0, 5, 2, 1000, 3000]);
    assert_eq!(server.run::<i64>("EXISTS e"), 0);
    assert!(server.refusal("RL.CHECKALL a 10 1 2 text 5 1 3").starts_with("WRONGTYPE"));
    answers(&server, "RL.PEEK a 10 1", [1, 10, 8, 0, 2000]);
}

#[test]
fn reset_deletes_buckets_and_only_buckets() {
    let server = Setup::with_module().start();
    server.run::<()>("SET text hello");
    server.run::<()>("LPUSH list a");
    server.run::<Value>("RL.MCHECK a 5 1/d 1 b 5 1/d 1");
    assert_eq!(server.run::<i64>("RL.RESET a text list missing a b"), 2);
    assert_eq!(server.run::<i64>("DBSIZE"), 2);
    answers(&server, "RL.PEEK a 5 1/d", [1, 5, 5, 0, 0]);
}

#[test]
fn calls_are_bounded_in_size() {
    let server = Setup::with_module().start();
    let mut connection = server.connect();
    for (count, refused) in [(1024, false), (1025, true)] {
        for command in ["RL.MCHECK", "RL.CHECKALL"] {
            let mut call = redis::cmd(command);
            for i in 0..count {
                call.arg(i).arg(&["10", "1", "1"]);
            }
            let reply = call.query::<Vec<i64>>(&mut connection);
            assert_eq!(reply.is_err(), refused, "{command} of {count}");
        }
    }
    let many = format!("RL.CHECK{}", " 1".repeat(1000));
    for command in [
        many.as_str(),
        "RL.MCHECK a 1 1 1 b",
        "RL.CHECKALL a 1 1 1 b 1 1",
        "RL.TAKE a 1 1",
        "RL.TAKE a 1 1 1 1",
        "RL.REFUND a 1 1",
        "RL.CHARGE a 1",
        "RL.RESET",
    ] {
        let refusal = server.refusal(command);
        assert!(refusal.starts_with("ERR wrong number of arguments"), "{command}: {refusal}");
    }
}

#[test]
fn keys_are_bytes() {
    let server = Setup::with_module().start();
    let mut connection = server.connect();
    let long = vec![b'x'; 1 << 20];
    for key in [&b""[..], b"\0", b"a\0b", b"\xff\xfe", "Ā".as_bytes(), b"a\r\nb", b"{a}", &long] {
        let mut check = redis::cmd("RL.CHECK");
        check.arg(key).arg("2").arg("0.001");
        let answer: [i64; 5] = check.query(&mut connection).unwrap();
        assert_eq!(answer[..3], [1, 2, 1], "{key:?}");
        let length: i64 = redis::cmd("STRLEN").arg(key).query(&mut connection).unwrap();
        assert_eq!(length, 25, "{key:?}");
    }
    assert_eq!(server.run::<i64>("DBSIZE"), 8);
}

#[test]
fn a_key_lives_until_its_bucket_is_full() {
    let server = frozen();
    server.run::<Value>("RL.CHECK k 100 1/s 40");
    // Full in 40 s; kept for 1 to 61 seconds more.
    let first: i64 = server.expires_at("k");
    let full_at = i64::try_from(START / 1000).unwrap() + 40_000;
    assert!((full_at + 1000..=full_at + 61_000).contains(&first), "{first}");
    // Denials and peeks leave the expiry alone, and so do checks after which the bucket is full
    // before it.
    server.run::<Value>("RL.CHECK k 100 1/s 90");
    server.run::<Value>("RL.PEEK k 100 1/s");
    server.run::<Value>("RL.CHECK k 100 1/s 20");
    assert_eq!(server.expires_at("k"), first);
    server.run::<Value>("RL.CHECK k 100 1/s 40");
    assert!(server.expires_at("k") > first);
    // Once the bucket is full, nothing is left behind.
    server.freeze(START + 3600 * 1_000_000);
    assert_eq!(server.run::<i64>("EXISTS k"), 0);
}

#[test]
fn a_peek_makes_no_key() {
    let server = Setup::with_module().start();
    server.run::<Value>("RL.PEEK k 3 2/s");
    server.run::<Value>("RL.CHECK k 3 2/s 0");
    server.run::<Value>("RL.CHECK k 3 2/s 5");
    assert_eq!(server.run::<i64>("DBSIZE"), 0);
}

#[test]
fn watch_sees_allowed_checks_only() {
    let server = Setup::with_module().start();
    let mut watcher = server.connect();
    let mut untouched = |disturb: &str| -> bool {
        redis::cmd("WATCH").arg("k").exec(&mut watcher).unwrap();
        server.run::<Value>(disturb);
        redis::cmd("MULTI").exec(&mut watcher).unwrap();
        redis::cmd("PING").exec(&mut watcher).unwrap();
        let replies: Value = redis::cmd("EXEC").query(&mut watcher).unwrap();
        replies != Value::Nil
    };
    assert!(!untouched("RL.CHECK k 5 0.001 3"), "an allowed check changes the key");
    assert!(untouched("RL.CHECK k 5 0.001 3"), "a denied check does not");
    assert!(untouched("RL.PEEK k 5 0.001"));
    assert!(!untouched("RL.CHECK k 5 0.001 1"));
}

#[test]
fn with_full_memory_checks_are_refused_and_peeks_answered() {
    let server = Setup::with_module().option(&["maxmemory", "1"]).start();
    assert!(server.refusal("RL.CHECK k 1 1").starts_with("OOM"));
    answers(&server, "RL.PEEK k 1 1", [1, 1, 1, 0, 0]);
}
