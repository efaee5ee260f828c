//! The two Redis users of `docs/security.md`: each has the permissions that a front needs, and no
//! others.

use std::fs;
use std::time::Duration;

use redis::{Connection, Value};
use rl_tests::{Cluster, Flavour, Front, RedisServer, Setup, eventually};
use serde_json::json;
use tempfile::TempDir;

const PAGE: &str = include_str!("../../docs/security.md");
const SOON: Duration = Duration::from_secs(20);
const PATIENT: [&str; 2] = ["--deadline-ms", "10000"];
const POLICIES: &str = r#"
    inline = true
    [policies.default]
    capacity = 100
    rate = "1/d"
    [policies.two]
    limits = [
      { name = "a", capacity = 9, rate = "1/d" },
      { name = "b", capacity = 5, rate = "1/d" },
    ]
"#;

/// A user of the page.
#[derive(Clone, Copy)]
struct User {
    /// `ACL SETUSER` and its rules.
    line: &'static str,
    name: &'static str,
    password: &'static str,
    engine: &'static str,
}

/// The user of each engine, from the lines of the page that create them.
fn users() -> [User; 2] {
    let word = |line: &'static str, start: &str| {
        line.split(' ').find_map(|word| word.strip_prefix(start)).expect("such a word")
    };
    let lines = PAGE.lines().filter(|line| line.starts_with("ACL SETUSER rl-"));
    let users: Vec<_> = lines
        .map(|line| {
            let (password, engine) = (word(line, ">"), word(line, "rl-"));
            let name = line.split(' ').nth(2).expect("a name");
            User { line, name, password, engine }
        })
        .collect();
    let users: [User; 2] = users.try_into().ok().expect("two users");
    assert_eq!(users.map(|user| user.engine), ["module", "lua"]);
    users
}

impl User {
    /// The commands that it may run.
    fn grants(&self) -> impl Iterator<Item = &'static str> {
        self.line.split(' ').filter_map(|word| word.strip_prefix('+'))
    }

    fn url(&self, server: &RedisServer) -> String {
        format!("redis://{}:{}@127.0.0.1:{}", self.name, self.password, server.port())
    }

    fn log_in(&self, server: &RedisServer) -> Connection {
        let mut connection = server.connect();
        redis::cmd("AUTH").arg(&[self.name, self.password]).exec(&mut connection).expect("a login");
        connection
    }
}

/// Runs a command, split at spaces. Returns its result, or `None` if the user lacks the permission.
fn permitted(connection: &mut Connection, words: &str) -> Option<String> {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().expect("a command"));
    match command.arg(words.collect::<Vec<_>>()).query::<Value>(connection) {
        // EXEC gives the reason behind a code of its own.
        Err(error) if error.code() == Some("NOPERM") => None,
        Err(error) if error.detail().is_some_and(|reason| reason.contains(": NOPERM ")) => None,
        answer => Some(format!("{answer:?}")),
    }
}

/// Sends every kind of request for `key`. Returns the paths that Redis did not decide.
fn failed_requests(front: &Front, key: &str) -> Vec<String> {
    let one = json!({ "key": key });
    let two = json!({ "key": key, "policy": "two" });
    let inline = json!({ "key": key, "capacity": 5, "rate": "1/d" });
    let batch = json!({ "checks": [one, one, two, inline] });
    let mut failed = Vec::new();
    for (path, body) in [
        ("/check", &one),
        ("/check", &two),
        ("/check", &inline),
        ("/check/batch", &batch),
        ("/peek", &two),
        ("/take", &one),
        ("/refund", &two),
        ("/charge", &two),
        ("/reset", &two),
        ("/reset", &one),
    ] {
        let answer = front.post(path, &body.to_string());
        if answer.status != 200 || answer.body.to_string().contains("degraded") {
            failed.push(path.to_owned());
        }
    }
    failed
}

#[test]
fn each_user_serves_everything_and_needs_all_its_rights() {
    let folder = TempDir::new().expect("a temporary folder");
    let policies = folder.path().join("policies.toml");
    fs::write(&policies, POLICIES).expect("to write the policies");
    let policies = policies.to_str().expect("a path in UTF-8");
    let server = Setup::with_module().start();
    for user in users() {
        server.run::<Value>(user.line);
        let url = user.url(&server);
        let store = ["--store", &url, "--config", policies, "--workers", "1"];
        // With --engine auto the front finds the engine that its user may run.
        let front = Front::start(&[&store[..], &PATIENT].concat());
        assert_eq!(front.get("/health/ready").body["engine"], json!(user.engine));
        assert_eq!(failed_requests(&front, "k"), Vec::<String>::new(), "{}", user.name);

        let front = Front::start(&[&store[..], &PATIENT, &["--engine", user.engine]].concat());
        // ROLE and PING have tests of their own.
        let grants = user.grants().filter(|grant| !["ping", "role"].contains(grant));
        for (i, grant) in grants.enumerate() {
            server.run::<Value>(&user.line.replacen(&format!(" +{grant}"), "", 1));
            server.run::<Value>("SCRIPT FLUSH");
            if grant == "script|load" {
                // Only new connections use it.
                server.run::<Value>(&format!("CLIENT KILL USER {}", user.name));
                eventually("the front cannot load scripts", SOON, || {
                    front.log().contains("NOPERM SCRIPT LOAD")
                });
            }
            let failed = failed_requests(&front, &format!("without-{i}"));
            assert!(!failed.is_empty(), "{} does not need +{grant}", user.name);
            server.run::<Value>(user.line);
            eventually("every request succeeds again", SOON, || {
                failed_requests(&front, &format!("with-{i}")).is_empty()
            });
        }
        assert!(!front.log().contains(user.password), "{}", front.log());
    }
}

#[test]
fn role_is_needed_to_refuse_replicas() {
    let primary = Setup::with_module().start();
    let replica = Setup::with_module().start();
    replica.follow(&primary);
    for user in users() {
        let without_role = user.line.replacen(" +role", "", 1);
        for (line, reason) in [(user.line, "the server is a replica"), (&without_role, "READONLY")]
        {
            replica.run::<Value>(line);
            let store = user.url(&replica);
            let front = Front::start_unready(&["--store", &store, "--engine", user.engine]);
            eventually(reason, SOON, || {
                assert_eq!(front.check(r#"{"key":"k"}"#)["degraded"], json!(true));
                front.log().contains(reason)
            });
        }
    }
}

#[test]
fn a_cluster_needs_slots_and_asking_instead_of_role() {
    const KEY: &str = "moving";
    for user in users() {
        let cluster = Cluster::start(Setup::with_module, 2, false);
        let line = user.line.replacen(" +role", " +cluster|slots +asking", 1);
        let everywhere = |line: &str| {
            cluster.nodes().iter().for_each(|node| node.run::<()>(line));
        };
        everywhere(&line);
        let login = format!("//{}:{}@", user.name, user.password);
        let store = cluster.url().replace("//", &login);
        let args =
            ["--store", &store, "--engine", user.engine, "--workers", "1", PATIENT[0], "1000"];
        let front = Front::start(&args);
        let body = json!({ "key": KEY }).to_string();
        let degraded = || front.check(&body)["degraded"] == json!(true);
        eventually("the cluster decides", SOON, || !degraded());
        // While its slot moves, a key that does not exist yet is asked for on the next node.
        let slot = cluster.slot(KEY);
        let home = cluster.owner(slot);
        cluster.nodes()[home].run::<u64>(&format!("DEL rl:{{{KEY}}}:default"));
        let mut degraded_meanwhile = Vec::new();
        cluster.move_slot(slot, home, 1 - home, || {
            everywhere(&line.replacen(" +asking", "", 1));
            degraded_meanwhile.push(degraded());
            everywhere(&line);
            degraded_meanwhile.push(degraded());
        });
        assert_eq!(degraded_meanwhile[..2], [true, false], "{}", front.log());

        everywhere(&line.replacen(" +cluster|slots", "", 1));
        let without_slots = Front::start_unready(&args);
        eventually("the log names the missing permission", SOON, || {
            without_slots.check(&body);
            without_slots.log().contains("does not let this user run CLUSTER SLOTS")
        });
    }
}

#[test]
fn an_acl_file_works_as_well() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("users.acl");
    let lines = users().map(|user| user.line.replacen("ACL SETUSER", "user", 1)).join("\n");
    fs::write(&file, format!("user default on nopass ~* &* +@all\n{lines}\n")).expect("to write");
    let file = file.to_str().expect("a path in UTF-8");
    let server = Setup::with_module().option(&["aclfile", file]).start();
    for user in users() {
        let front = Front::start(&["--store", &user.url(&server), PATIENT[0], PATIENT[1]]);
        assert_eq!(front.get("/health/ready").body["engine"], json!(user.engine));
        assert_eq!(front.check(r#"{"key":"k"}"#)["degraded"], json!(null));
    }
}

/// Every command of the server with the number of arguments that it takes, and its flags.
fn all_commands(server: &RedisServer) -> Vec<(String, Vec<String>)> {
    fn add(entry: &Value, all: &mut Vec<(String, Vec<String>)>) {
        let Value::Array(fields) = entry else { panic!("{entry:?}") };
        if let Some(Value::Array(inner)) = fields.get(9).filter(|it| **it != Value::Array(vec![])) {
            return inner.iter().for_each(|entry| add(entry, all));
        }
        let name: String = redis::from_redis_value_ref(&fields[0]).expect("a name");
        let arity: i64 = redis::from_redis_value_ref(&fields[1]).expect("an arity");
        let flags = redis::from_redis_value_ref(&fields[2]).expect("flags");
        let words = usize::try_from(arity.abs()).expect("an arity");
        let mut call: Vec<_> = name.split('|').map(str::to_owned).collect();
        call.resize(words.max(call.len()), "1".to_owned());
        all.push((call.join(" "), flags));
    }
    let mut all = Vec::new();
    server.run::<Vec<Value>>("COMMAND").iter().for_each(|entry| add(entry, &mut all));
    all
}

#[test]
fn neither_user_may_do_anything_else() {
    let mut setup = Setup::with_module();
    if Flavour::under_test().version >= (7, 0) {
        setup = setup.option(&["enable-module-command", "yes"]); // so that only the ACL refuses it
    }
    let server = setup.start();
    server.run::<()>("SET other precious");
    server.run::<()>("SET rl:{k}:default precious");
    let commands = all_commands(&server);
    assert!(commands.len() > 200, "{} commands", commands.len());
    for user in users() {
        server.run::<Value>(user.line);
        let mut connection = user.log_in(&server);
        // Commands that a reader would look for.
        let both = "FLUSHALL\nFLUSHDB\nSHUTDOWN NOSAVE\nKEYS *\nSCAN 0\nMONITOR\nINFO\nDBSIZE\n\
            SELECT 1\nSWAPDB 0 1\nCONFIG GET *\nCONFIG SET dir /tmp\nDEBUG SLEEP 0\n\
            MODULE LIST\nMODULE LOAD /tmp/x.so\n\
            MODULE UNLOAD rl\nACL LIST\nACL SETUSER x\nACL WHOAMI\nSCRIPT FLUSH\nSCRIPT KILL\n\
            SAVE\nBGREWRITEAOF\n\
            REPLICAOF 127.0.0.1 1\nCLUSTER RESET\nCLIENT LIST\nCLIENT KILL TYPE normal\n\
            CLIENT PAUSE 1\nSLOWLOG GET\n\
            PUBLISH a b\nSUBSCRIBE a\nEXPIRE rl:{k}:default 1\n\
            RENAME rl:{k}:default rl:{l}:default\nRESTORE rl:{l}:default 0 x\n\
            DUMP rl:{k}:default\nMIGRATE h 1 other 0 1\nINCR rl:{k}:default\n\
            APPEND rl:{k}:default x\nUNLINK rl:{k}:default";
        let own = match user.engine {
            "module" => {
                "GET rl:{k}:default\nSET rl:{k}:default x\nDEL rl:{k}:default\n\
                 MGET rl:{k}:default\nTIME\nEVAL return 0\nEVALSHA x 0\nSCRIPT LOAD x\n\
                 RL.CHECK other 1 1\nRL.PEEK other 1 1\nRL.RESET other\n\
                 RL.CHECKALL rl:{k}:a 1 1 1 other 1 1 1\nRL.MCHECK other 1 1 1"
            }
            _ => {
                "GET other\nSET other x\nDEL other\nMGET rl:{k}:default other\n\
                 EVAL return 1 other\n\
                 RL.CHECK rl:{k}:default 1 1\nRL.RESET rl:{k}:default\nSCRIPT EXISTS x"
            }
        };
        for words in both.lines().chain(own.lines()) {
            assert_eq!(permitted(&mut connection, words), None, "{}: {words}", user.name);
        }
        // And all commands of this server, except those that need no login.
        let may = |words: &str| {
            let name = words.split(' ').take(2).collect::<Vec<_>>();
            user.grants().any(|grant| grant == name[0] || grant == name.join("|"))
        };
        for (words, flags) in &commands {
            if !flags.contains(&"no_auth".to_owned()) && !may(words) {
                assert_eq!(permitted(&mut connection, words), None, "{}: {words}", user.name);
            }
        }
    }
    assert_eq!(server.run::<String>("GET other"), "precious");
    assert_eq!(server.run::<String>("GET rl:{k}:default"), "precious");
}

#[test]
fn a_script_may_do_no_more_than_its_user() {
    let server = Setup::with_module().start();
    server.run::<()>("SET other precious");
    let [_, user] = users();
    server.run::<Value>(user.line);
    let mut connection = user.log_in(&server);
    for call in [
        "'GET', 'other'",
        "'SET', 'other', 'x'",
        "'DEL', 'other'",
        "'SET', 'rl', 'x'",
        "'FLUSHALL'",
        "'CONFIG', 'SET', 'maxmemory', '1'",
        "'KEYS', '*'",
        "'EXPIRE', 'rl:{k}:default', '1'",
        "'RL.CHECK', 'rl:{k}:default', '1', '1'",
        "'PUBLISH', 'a', 'b'",
    ] {
        let mut script = redis::cmd("EVAL");
        let answer = script.arg(format!("return redis.call({call})")).arg(0);
        let error = answer.query::<Value>(&mut connection).expect_err(call).to_string();
        assert!(
            ["can't run", "can't access", "ACL failure", "not allowed from script"]
                .iter()
                .any(|it| error.contains(it)),
            "{error}"
        );
    }
    assert_eq!(server.run::<Vec<String>>("KEYS *"), ["other"]);
    assert_eq!(server.run::<String>("GET other"), "precious");
}
