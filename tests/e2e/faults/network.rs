//! The network between a front and its Redis.

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use rl_tests::{
    CheckRequest, Fault, FaultProxy, Front, LimitSource, Setup, eventually, may_have_own_files,
    server_path, skip, with_file,
};
use serde_json::json;
use tempfile::TempDir;

use super::aftermath::taken;
use super::rig::{Buckets, DEADLINE, OUTAGE, Rig, SOON};

/// A network fault for the length of an outage.
#[track_caller]
fn endures(rig: Rig, fault: Fault) {
    rig.endures(OUTAGE, Buckets::Kept, |rig| rig.proxy.set(fault), |rig| rig.proxy.clear())
        .degraded();
}

/// Faults that strike one reply each. Each time the connection is replaced.
#[track_caller]
fn survives_strikes(rig: Rig, faults: &[Fault]) {
    let strike = |rig: &mut Rig| {
        for fault in faults {
            let before = rig.proxy.connection_times().len();
            rig.proxy.set_once(*fault);
            let replaced = format!("{fault:?}: the connection is replaced");
            eventually(&replaced, SOON, || rig.proxy.connection_times().len() > before);
            rig.is_normal();
        }
    };
    rig.endures(Duration::ZERO, Buckets::Kept, strike, |_| ()).degraded();
}

#[test]
fn latency_within_the_deadline_degrades_nothing() {
    let patient = Duration::from_secs(10);
    for (server, engine) in
        [(Setup::with_module().start(), "module"), (Setup::plain().start(), "lua")]
    {
        let (each_way, jitter) = (Duration::from_millis(5), Duration::from_millis(20));
        Rig::on(server, engine, "", patient)
            .endures(
                OUTAGE,
                Buckets::Kept,
                |rig| rig.proxy.set(Fault::Latency { each_way, jitter }),
                |rig| rig.proxy.clear(),
            )
            .not_degraded();
    }
}

#[test]
fn latency_above_the_deadline_keeps_nobody_waiting() {
    let fault = Fault::Latency { each_way: DEADLINE, jitter: DEADLINE / 2 };
    endures(Rig::on_module(), fault);
}

#[test]
fn lost_commands_are_not_sent_again() {
    endures(Rig::on_module(), Fault::HoldRequests);
}

#[test]
fn commands_whose_replies_are_lost_are_not_sent_again() {
    endures(Rig::on_module(), Fault::HoldReplies);
}

#[test]
fn scripts_whose_replies_are_lost_are_not_run_again() {
    endures(Rig::on_scripts(), Fault::HoldReplies);
}

#[test]
fn a_check_is_sent_once_whatever_becomes_of_its_answer() {
    for (server, engine) in
        [(Setup::with_module().start(), "module"), (Setup::plain().start(), "lua")]
    {
        let proxy = FaultProxy::start(server.port());
        let store = ["--store", &proxy.url(), "--engine", engine];
        let front =
            Front::start(&[&store[..], &["--workers", "1", "--deadline-ms", "100"]].concat());
        for (row, fault) in [
            Fault::HoldRequests,
            Fault::HoldReplies,
            Fault::Reset,
            Fault::HalfClose,
            Fault::Truncate,
            Fault::Garbage(b"+OK\r\n"),
        ]
        .into_iter()
        .enumerate()
        {
            let limits = LimitSource::Inline(10, "1/d");
            // If the fault meets a heartbeat first, the check is not sent at all: try again.
            eventually("a check is sent", SOON, || {
                let check = CheckRequest { key: format!("{engine}{row}"), limits, cost: 1 };
                eventually("Redis decides", SOON, || taken(&front, &check) == 0);
                let before = proxy.commands("RL.CHECK");
                proxy.set(fault);
                assert_eq!(front.check(&check.body())["degraded"], json!(true), "{fault:?}");
                proxy.clear();
                let sent = proxy.commands("RL.CHECK") - before;
                let mut took = taken(&front, &check);
                // A check that was held back may arrive after a peek on a new connection.
                if sent > 0 {
                    eventually("the check arrives", SOON, || {
                        took = taken(&front, &check);
                        took > 0
                    });
                    assert_eq!(sent, 1, "{engine}, {fault:?}");
                }
                assert!(took <= 1, "{engine}, {fault:?}: Redis took {took}");
                took == 1
            });
        }
    }
}

#[test]
fn truncated_replies_answer_no_caller() {
    for rig in [Rig::on_module(), Rig::on_scripts()] {
        survives_strikes(rig, &[Fault::Reset, Fault::HalfClose, Fault::Truncate]);
    }
}

#[test]
fn invalid_replies_answer_no_caller() {
    let garbage = [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"+OK\r\n",
        b"*1\r\n:1\r\n",
        b"*-1\r\n",
        b"*2147483647\r\n:1\r\n",
        b"$2147483647\r\nx",
        b"\0\xff\r\n",
    ];
    survives_strikes(Rig::on_module(), &garbage.map(Fault::Garbage));
}

#[test]
fn a_redis_that_refuses_is_found_again() {
    let refuse = |rig: &mut Rig| {
        rig.proxy.set(Fault::Refuse);
        rig.server.run::<u64>("CLIENT KILL TYPE normal");
    };
    let long = Duration::from_secs(3); // until the backoff has grown to its longest
    Rig::on_module().endures(long, Buckets::Kept, refuse, |rig| rig.proxy.clear()).degraded();
}

#[test]
fn a_redis_that_refuses_is_not_stormed() {
    const GROWING: usize = 6;
    /// Eight random waits of up to 1.8 s each add up to less than this six times in 100,000.
    const LEAST: Duration = Duration::from_secs(2);
    let proxy = FaultProxy::start(1);
    proxy.set(Fault::Refuse);
    // Eight workers, and still one attempt at a time.
    let _front = Front::start_unready(&["--store", &proxy.url(), "--workers", "8"]);
    eventually("some attempts", Duration::from_secs(60), || {
        proxy.connection_times().len() > GROWING + 8
    });
    let connects = proxy.connection_times();
    let waits: Vec<_> = connects.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let grown: Duration = waits[GROWING..GROWING + 8].iter().sum();
    assert!(grown >= LEAST, "{waits:?}");
}

/// The name resolves to the proxy of the old server, and then to another address.
#[test]
fn a_name_that_leads_to_another_server_is_followed() {
    const ANOTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
    let folder = TempDir::new().expect("a temporary folder");
    let hosts = folder.path().join("hosts");
    let resolve_to = |host: Ipv4Addr| fs::write(&hosts, format!("{host} redis.test\n"));
    resolve_to(Ipv4Addr::LOCALHOST).expect("to write a file");
    let with_names = |program: &str| with_file(&hosts, "/etc/hosts", program);
    if !may_have_own_files() {
        skip!("no process here may have files of its own, see unshare(1)");
    }
    let old = Setup::with_module().start();
    let proxy = FaultProxy::start(old.port());
    let port = proxy.port();
    let store = format!("redis://redis.test:{port}");
    let mut command = with_names(server_path().to_str().expect("a path in UTF-8"));
    command.args(["--listen", "127.0.0.1:0"]).args(Rig::flags(&store, "module", DEADLINE));
    let front = Front::launch(command);
    eventually("the front is ready", SOON, || front.get("/health/ready").status == 200);
    let new = Setup::with_module().with_host(ANOTHER).with_port(port).start();
    Rig::over(front, old, proxy, DEADLINE)
        .endures(
            OUTAGE,
            Buckets::Lost,
            |rig| rig.server.kill(),
            |_| resolve_to(ANOTHER).expect("to write a file"),
        )
        .degraded();
    assert!(new.run::<u64>("DBSIZE") > 0, "the other server decides");
}
