//! The description of the commands, and its effects: routing, permissions, counts, events.

use redis::{Connection, Value};
use rl_tests::{Flavour, Setup, skip};

const FAMILY: [(&str, i64, &str, &[&str]); 8] = [
    ("RL.CHECK", -4, "k 1 1", &["write", "denyoom", "fast"]),
    ("RL.PEEK", -4, "k 1 1 1", &["readonly", "fast"]),
    ("RL.MCHECK", -5, "k 1 1 1 l 1 1 1", &["write", "denyoom", "fast"]),
    ("RL.CHECKALL", -5, "k 1 1 1 l 1 1 1", &["write", "denyoom", "fast"]),
    ("RL.TAKE", 5, "k 1 1 1", &["write", "denyoom", "fast"]),
    ("RL.REFUND", 5, "k 1 1 1", &["write", "denyoom", "fast"]),
    ("RL.CHARGE", 5, "k 1 1 1", &["write", "denyoom", "fast"]),
    ("RL.RESET", -2, "k l", &["write", "fast"]),
];

fn run(connection: &mut Connection, words: &str) -> redis::RedisResult<Value> {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().expect("a command"));
    command.arg(words.collect::<Vec<_>>()).query(connection)
}

/// The keys among a command's arguments in [`FAMILY`].
fn keys(arguments: &str) -> Vec<&str> {
    arguments.split(' ').filter(|word| matches!(*word, "k" | "l")).collect()
}

#[test]
fn flags_arity_and_keys() {
    let server = Setup::with_module().start();
    for (command, arity, arguments, flags) in FAMILY {
        let info: Vec<Vec<Value>> = server.run(&format!("COMMAND INFO {command}"));
        let [info] = info.as_slice() else { panic!("{info:?}") };
        // Before Redis 7.0 a module cannot declare its arity, and checks it by itself.
        let arity = if Flavour::under_test().version < (7, 0) { -1 } else { arity };
        assert_eq!(info[1], Value::Int(arity), "{command}");
        let reported: Vec<String> = redis::from_redis_value_ref(&info[2]).expect("flags");
        for flag in flags {
            assert!(reported.iter().any(|one| one == flag), "{command} is {reported:?}");
        }
        let has_denyoom = reported.iter().any(|one| one == "denyoom");
        assert_eq!(has_denyoom, flags.contains(&"denyoom"), "{command}");
        let found: Vec<String> = server.run(&format!("COMMAND GETKEYS {command} {arguments}"));
        assert_eq!(found, keys(arguments), "{command}");
    }
}

#[test]
fn docs_and_categories() {
    let server = Setup::with_module().start();
    if Flavour::under_test().version < (7, 0) {
        skip!("before Redis 7.0 there is no COMMAND DOCS");
    }
    for (command, ..) in FAMILY {
        let docs: Value = server.run(&format!("COMMAND DOCS {command}"));
        let docs = format!("{docs:?}");
        for part in ["summary", "O(", "arguments", "key"] {
            assert!(docs.contains(part), "{command}: {docs}");
        }
    }
    // Redis 7.0 puts the commands of a module in no category.
    if Flavour::under_test().version >= (7, 2) {
        for (category, command, is_member) in [
            ("write", "rl.check", true),
            ("fast", "rl.check", true),
            ("read", "rl.peek", true),
            ("write", "rl.peek", false),
            ("write", "rl.reset", true),
        ] {
            let members: Vec<String> = server.run(&format!("ACL CAT {category}"));
            assert_eq!(
                members.contains(&command.to_owned()),
                is_member,
                "{command} in @{category}"
            );
        }
    }
}

#[test]
fn key_patterns_bind_every_key() {
    let server = Setup::with_module().start();
    server.run::<()>(
        "ACL SETUSER limited on >secret -@all ~rl:* +rl.check +rl.peek +rl.mcheck +rl.checkall \
         +rl.take +rl.refund +rl.charge +rl.reset",
    );
    let mut connection = server.connect();
    run(&mut connection, "AUTH limited secret").expect("to log in");
    // The keys k and l become rl:k and rl:l, except for those in `outside`.
    let line = |command: &str, arguments: &str, outside: &str| {
        let words = arguments.split(' ').map(|word| match word {
            "k" | "l" if word != outside => format!("rl:{word}"),
            _ => word.to_owned(),
        });
        [command.to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
    };
    for (command, _, arguments, _) in FAMILY {
        let inside = line(command, arguments, "");
        let answer = run(&mut connection, &inside);
        assert!(answer.is_ok(), "{inside}: {answer:?}");
        // Any one key outside the pattern is enough for a refusal.
        for outside in keys(arguments) {
            let line = line(command, arguments, outside);
            let refusal = run(&mut connection, &line).expect_err(&line);
            assert_eq!(refusal.code(), Some("NOPERM"), "{line}: {refusal}");
        }
    }
}

#[test]
fn info_counts_decisions_and_refusals() {
    let server = Setup::with_module().start();
    server.run::<()>("SET text hello");
    server.run::<Value>("RL.CHECK a 2 1/d 2");
    server.run::<Value>("RL.CHECK a 2 1/d 1");
    server.run::<Value>("RL.PEEK a 2 1/d 1"); // takes nothing: not counted
    server.run::<Value>("RL.MCHECK b 2 1/d 1 c 2 1/d 1 text 1 1 1");
    server.run::<Value>("RL.CHECKALL b 2 1/d 1 a 2 1/d 1");
    server.run::<Value>("RL.TAKE b 2 1/d 1");
    server.refusal("RL.CHECK a 0 1");
    server.refusal("RL.CHECK a 1 1 1 1");
    server.refusal("RL.CHECK text 1 1");
    let info: String = server.run("INFO rl");
    for line in [
        "# rl_stats",
        "rl_checks:7",
        "rl_allowed:5",
        "rl_denied:2",
        "rl_errors_argument:2",
        "rl_errors_wrongtype:2",
        "rl_errors_internal:0",
    ] {
        assert!(info.lines().any(|one| one == line), "{line} is not in\n{info}");
    }
}

#[test]
fn events_are_those_of_a_set() {
    let server = Setup::with_module().start();
    server.run::<()>("CONFIG SET notify-keyspace-events KEA");
    let mut listener = server.connect();
    let mut pubsub = listener.as_pubsub();
    pubsub.psubscribe("__keyevent@0__:*").expect("to subscribe");
    pubsub.set_read_timeout(Some(std::time::Duration::from_secs(20))).expect("a time limit");
    server.run::<Value>("RL.CHECK k 5 1/d 3");
    server.run::<Value>("RL.CHECK k 5 1/d 3"); // denied
    server.run::<Value>("RL.PEEK k 5 1/d 3");
    server.run::<Value>("RL.RESET k");
    let mut events = Vec::new();
    while events.last().map(String::as_str) != Some("del") {
        let message = pubsub.get_message().expect("an event");
        let event = message.get_channel_name().rsplit(':').next().unwrap_or_default().to_owned();
        assert_eq!(message.get_payload::<String>().expect("a key"), "k");
        if event != "new" {
            events.push(event);
        }
    }
    assert_eq!(events, ["set", "expire", "del"]);
}

#[test]
fn a_client_side_cache_is_invalidated_by_allowed_checks_only() {
    let server = Setup::with_module().start();
    let mut cache = server.connect();
    let mut listener = server.connect();
    let id: i64 = redis::cmd("CLIENT").arg("ID").query(&mut listener).expect("an id");
    let mut pubsub = listener.as_pubsub();
    pubsub.subscribe("__redis__:invalidate").expect("to subscribe");
    pubsub.set_read_timeout(Some(std::time::Duration::from_millis(300))).expect("a time limit");
    run(&mut cache, &format!("CLIENT TRACKING ON REDIRECT {id}")).expect("tracking");
    let mut invalidated = |disturb: &str| {
        run(&mut cache, "GET k").expect("to cache k");
        server.run::<Value>(disturb);
        // The next invalidation is of the marker, unless k was invalidated first.
        run(&mut cache, "GET marker").expect("to cache the marker");
        server.run::<()>("SET marker x");
        let mut invalid = Vec::new();
        loop {
            let message = pubsub.get_message().expect("an invalidation");
            let keys: Vec<String> = message.get_payload().expect("keys");
            invalid.extend(keys);
            if invalid.iter().any(|key| key == "marker") {
                return invalid.iter().any(|key| key == "k");
            }
        }
    };
    assert!(invalidated("RL.CHECK k 5 1/d 3"), "an allowed check changes the key");
    assert!(!invalidated("RL.CHECK k 5 1/d 3"), "a denied check does not");
    assert!(!invalidated("RL.PEEK k 5 1/d 3"));
    assert!(invalidated("RL.RESET k"));
}

#[test]
fn the_module_has_the_version_of_the_packages() {
    let server = Setup::with_module().start();
    let list = format!("{:?}", server.run::<Value>("MODULE LIST"));
    let parts =
        env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse::<u32>().expect("a number"));
    let version = parts.fold(0, |version, part| 100 * version + part);
    assert!(list.contains(&format!("int({version})")), "{list}");
}
