use rl_bucket::{Cost, Decision, Limit, Outcome};

use super::{
    Answer, COMMANDS, CheckAll, Command, CommandKind, MCheck, Reset, Take, charge, check, peek,
    refund,
};
use crate::{
    BucketRequest, JointDecision, NotABucket,
    redis::{
        engine::{Engine, ScriptForm, Scripts},
        resp::encode::CommandBuf,
    },
};

fn lua() -> Engine {
    Engine::Lua(Scripts::with_hashes(COMMANDS.map(|spec| format!("sha-{:?}", spec.kind))))
}

fn request<'a>(key: &'a str, capacity: &str, rate: &str, amount: &str) -> BucketRequest<'a> {
    BucketRequest {
        key: key.as_bytes(),
        limit: Limit::parse(capacity, rate).unwrap(),
        amount: Cost::parse(amount.as_bytes()).unwrap(),
    }
}

/// The arguments, separated by spaces as one would type them.
fn line(buf: &CommandBuf) -> String {
    let text = String::from_utf8(buf.bytes().to_vec()).unwrap();
    let (head, mut rest) = text.split_once("\r\n").unwrap();
    let mut line = Vec::new();
    while let Some((length, text)) = rest.split_once("\r\n") {
        let length: usize = length.strip_prefix('$').unwrap().parse().unwrap();
        line.push(&text[..length]);
        rest = text[length..].strip_prefix("\r\n").unwrap();
    }
    assert_eq!(head, format!("*{}", line.len()));
    line.join(" ")
}

#[track_caller]
fn encodes(command: &impl Command, module: &str, script: &str) {
    assert_eq!(line(&Engine::Module.encode(command, ScriptForm::Hash)), module);
    assert_eq!(line(&lua().encode(command, ScriptForm::Hash)), script);
}

#[test]
fn commands_on_one_bucket() {
    let one = request("rl:{k}:default", "100", "120/m", "0.1");
    let module = |name| format!("RL.{name} rl:{{k}}:default 100 120/m 0.1");
    let script = |name| format!("EVALSHA sha-{name} 1 rl:{{k}}:default 100 2 0.1");
    encodes(&check(&one), &module("CHECK"), &script("Check"));
    encodes(&peek(&one), &module("PEEK"), &script("Peek"));
    encodes(&Take(&one), &module("TAKE"), &script("Take"));
    encodes(&refund(&one), &module("REFUND"), &script("Refund"));
    encodes(&charge(&one), &module("CHARGE"), &script("Charge"));
}

#[test]
fn commands_on_several_buckets() {
    let two = [request("a", "1.5", "1/4s", "1"), request("b", "7", "10", "0")];
    encodes(
        &MCheck(&two),
        "RL.MCHECK a 1.5 1/4s 1 b 7 10 0",
        "EVALSHA sha-MCheck 2 a b 1.5 0.25 1 7 10 0",
    );
    encodes(
        &CheckAll(&two),
        "RL.CHECKALL a 1.5 1/4s 1 b 7 10 0",
        "EVALSHA sha-CheckAll 2 a b 1.5 0.25 1 7 10 0",
    );
    encodes(&Reset(&[b"a", b"b"]), "RL.RESET a b", "EVALSHA sha-Reset 2 a b");
}

#[test]
fn probes_are_checks_or_peeks_of_a_bucket_that_is_soon_full() {
    let probe = |engine: Engine, kind| line(&engine.probe(kind, ScriptForm::Hash));
    let (check, peek) = (CommandKind::Check, CommandKind::Peek);
    assert_eq!(probe(Engine::Module, check), "RL.CHECK rl:{probe}:probe 100 100 1");
    assert_eq!(probe(Engine::Module, peek), "RL.PEEK rl:{probe}:probe 100 100 1");
    assert_eq!(probe(lua(), check), "EVALSHA sha-Check 1 rl:{probe}:probe 100 100 1");
    assert_eq!(probe(lua(), peek), "EVALSHA sha-Peek 1 rl:{probe}:probe 100 100 1");
}

#[test]
fn answers_show_a_write_where_tokens_were_taken() {
    let (allowed, denied) = (decision(Outcome::Allowed), decision(Outcome::Never));
    let joint = |denied| JointDecision { denied, decisions: vec![allowed] };
    for (shows, expected) in [
        (().shows_a_write(), false),
        (3_u64.shows_a_write(), false),
        (allowed.shows_a_write(), false), // it may be a peek's
        ((2, allowed).shows_a_write(), true),
        ((0, allowed).shows_a_write(), false),
        (vec![Err(NotABucket), Ok(denied), Ok(allowed)].shows_a_write(), true),
        (vec![Err(NotABucket), Ok(denied)].shows_a_write(), false),
        (joint(None).shows_a_write(), true),
        (joint(Some(0)).shows_a_write(), false),
    ] {
        assert_eq!(shows, expected);
    }
}

fn decision(outcome: Outcome) -> Decision {
    Decision { outcome, limit: 9, remaining: 8, reset_after_ms: 7 }
}

#[test]
fn numbers_reach_redis_to_the_last_bit() {
    for ([capacity, rate, amount], sent) in [
        (["0.000000001", "100/m", "1"], "0.000000001 100/m 1"),
        (["1.0E7", "1.6666666666666667", "1e0"], "10000000 1.6666666666666667 1"),
        (["10", "1e-07", "0.30000000000000004"], "10 0.0000001 0.30000000000000004"),
        (["5e-324", "1.0E10/h", "1e-10"], "5e-324 1e10/h 1e-10"),
        (["1e9", "1/30d", "1"], "1000000000 1/30d 1"),
        (["1", "8.125e22/9999999999d", "0"], "1 8.125e22/9999999999d 0"),
    ] {
        let request = request("k", capacity, rate, amount);
        let command = check(&request);
        let module = line(&Engine::Module.encode(&command, ScriptForm::Hash));
        assert_eq!(module, format!("RL.CHECK k {sent}"));
        // The module reads these texts, and Lua's own reader of numbers the others.
        let words: Vec<_> = sent.split(' ').collect();
        let limit = Limit::parse(words[0], words[1]).unwrap();
        let per_second = request.limit.rate().per_second();
        assert_eq!(limit.rate().per_second().to_bits(), per_second.to_bits());
        let script = line(&lua().encode(&command, ScriptForm::Hash));
        let read: Vec<f64> = script.split(' ').skip(4).map(|it| it.parse().unwrap()).collect();
        let (capacity, amount) = (limit.capacity().tokens(), request.amount.tokens());
        assert_eq!(read, [capacity, per_second, amount], "{script}");
    }
}

#[test]
fn equal_numbers_are_sent_once_where_the_script_takes_them_once() {
    let many = [request("a", "5", "1", "1"), request("b", "5", "1", "1")];
    encodes(&MCheck(&many), "RL.MCHECK a 5 1 1 b 5 1 1", "EVALSHA sha-MCheck 2 a b 5 1 1");
    encodes(
        &CheckAll(&many),
        "RL.CHECKALL a 5 1 1 b 5 1 1",
        "EVALSHA sha-CheckAll 2 a b 5 1 1 5 1 1",
    );
    let others = [many[0], many[1], request("c", "5", "1", "2"), many[0]];
    encodes(
        &MCheck(&others),
        "RL.MCHECK a 5 1 1 b 5 1 1 c 5 1 2 a 5 1 1",
        "EVALSHA sha-MCheck 4 a b c a 5 1 1 5 1 1 5 1 2 5 1 1",
    );
}

#[test]
fn the_table_is_in_the_order_of_the_kinds() {
    for (index, spec) in COMMANDS.iter().enumerate() {
        assert_eq!(spec.kind as usize, index);
        assert_eq!(spec.name, format!("RL.{:?}", spec.kind).to_uppercase());
    }
}

#[track_caller]
fn is_sent_in_full(command: &impl Command, rest: &str) {
    let expected = ["EVAL", command.spec().script, rest].join(" ");
    assert_eq!(line(&lua().encode(command, ScriptForm::Full)), expected);
}

#[test]
fn a_lost_script_is_sent_in_full() {
    let one = request("k", "5", "1", "1");
    is_sent_in_full(&check(&one), "1 k 5 1 1");
    is_sent_in_full(&peek(&one), "1 k 5 1 1");
    is_sent_in_full(&Take(&one), "1 k 5 1 1");
    is_sent_in_full(&refund(&one), "1 k 5 1 1");
    is_sent_in_full(&charge(&one), "1 k 5 1 1");
    is_sent_in_full(&MCheck(&[one]), "1 k 5 1 1");
    is_sent_in_full(&CheckAll(&[one]), "1 k 5 1 1");
    is_sent_in_full(&Reset(&[b"k"]), "1 k");
}
