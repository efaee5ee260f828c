//! `MODULE UNLOAD`: refused while something refers to the module's commands.

use std::thread;
use std::time::Duration;

use rl_tests::{Flavour, RedisServer, Setup, eventually};

const SOON: Duration = Duration::from_secs(20);

fn server() -> RedisServer {
    let server = Setup::with_module();
    match Flavour::under_test().version >= (7, 0) {
        true => server.option(&["enable-module-command", "yes"]).start(),
        false => server.start(), // older versions always enable it
    }
}

#[track_caller]
fn refused(server: &RedisServer, cause: &str) {
    let refusal = server.refusal("MODULE UNLOAD rl");
    assert!(refusal.starts_with("ERR Error unloading module: "), "{refusal}");
    eventually(cause, SOON, || server.log().contains(cause));
}

#[track_caller]
fn unloads(server: &RedisServer) {
    server.run::<()>("MODULE UNLOAD rl");
    assert!(server.refusal("RL.CHECK k 10 1/d").contains("unknown command"));
    server.run::<Vec<String>>("ACL LIST");
}

#[test]
fn the_module_stays_while_users_name_its_commands() {
    let server = server();
    let has_selectors = Flavour::under_test().version >= (7, 0);
    let nested = if has_selectors { "+get (~rl:* +rl.peek)" } else { "+get +rl.peek" };
    for (rules, rule) in
        [("-@all +rl.check", "+rl.check"), ("+@all -rl.reset", "-rl.reset"), (nested, "+rl.peek")]
    {
        // The name would be harmful in a format.
        server.run::<()>(&format!("ACL SETUSER 100%n%s on nopass ~rl:* {rules}"));
        let by_itself = format!("user 100%n%s has the rule {rule}: take it away first");
        let by_valkey = format!("has reference to rule '{rule}'");
        // Newer versions of Valkey see to it before they ask the module.
        let is_valkey = Flavour::under_test().is_valkey;
        refused(&server, if is_valkey { &by_valkey } else { &by_itself });
        assert_eq!(server.run::<[i64; 5]>("RL.PEEK k 10 1/d")[2], 10);
        assert_eq!(server.run::<Vec<String>>("ACL LIST").len(), 2);
        server.run::<()>("ACL DELUSER 100%n%s");
    }
    // Categories are no names, nor are the names of users and keys; and no command is queued yet.
    server.run::<()>("ACL SETUSER +rl.check on nopass ~+rl.check -@all +@write +get");
    let mut connection = server.connect();
    redis::cmd("MULTI").exec(&mut connection).expect("a transaction");
    unloads(&server);
}

#[test]
fn the_module_stays_while_its_commands_are_queued() {
    let server = server();
    let mut connection = server.connect();
    redis::cmd("MULTI").exec(&mut connection).expect("a transaction");
    redis::cmd("RL.CHECK").arg(&["k", "10", "1/d"]).exec(&mut connection).expect("QUEUED");
    refused(&server, "may hold one of its commands: try again when it is done");
    let replies: Vec<[i64; 5]> = redis::cmd("EXEC").query(&mut connection).expect("replies");
    assert_eq!(replies, [[1, 10, 9, 0, 86_400_000]]);
    unloads(&server);
}

#[test]
fn the_module_stays_while_its_commands_wait_for_the_end_of_a_pause() {
    let server = server();
    server.run::<()>("CLIENT PAUSE 60000 WRITE");
    thread::scope(|scope| {
        let caller = scope.spawn(|| server.run::<[i64; 5]>("RL.CHECK k 10 1/d")[2]);
        eventually("the command waits", SOON, || {
            let clients: String = server.run("CLIENT LIST");
            clients.lines().any(|it| it.contains(" flags=b ") && it.contains(" cmd=rl.check"))
        });
        refused(&server, "may hold one of its commands: try again when it is done");
        server.run::<()>("CLIENT UNPAUSE");
        assert_eq!(caller.join().expect("a reply"), 9);
    });
    unloads(&server);
}
