//! The two Redis users of `docs/security.md`: each serves a whole front, needs all that it has, and may do nothing else.

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
    limits = [{ name = "a", capacity = 9, rate = "1/d" }, { name = "b", capacity = 5, rate = "1/d" }]
"#;

/// A user as the page has it.
#[derive(Clone, Copy)]
struct User {
    /// `ACL SETUSER` and its rules.
    line: &'static str,
    name: &'static str,
    password: &'static str,
    engine: &'static str,
}

/// The user of each engine: the lines of the page that make one.
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
    /// What it may run.
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

/// What comes of words parted by spaces if it is anything else than that the user may not say them.
fn taken(connection: &mut Connection, words: &str) -> Option<String> {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().expect("a command"));
    match command.arg(words.collect::<Vec<_>>()).query::<Value>(connection) {
        // EXEC says why it is refused behind a code of its own.
        Err(error) if error.code() == Some("NOPERM") => None,
        Err(error) if error.detail().is_some_and(|reason| reason.contains(": NOPERM ")) => None,
        answer => Some(format!("{answer:?}")),
    }
}

/// Asks everything a front can be asked about `key`, and returns the paths that did not get what they asked from Redis.
fn story(front: &Front, key: &str) -> Vec<String> {
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
fn each_serves_everything_and_needs_all_it_has() {
    let folder = TempDir::new().expect("a temporary folder");
    let policies = folder.path().join("policies.toml");
    fs::write(&policies, POLICIES).expect("to write the policies");
    let policies = policies.to_str().expect("a path in UTF-8");
    let server = Setup::with_module().start();
    for user in users() {
        server.run::<Value>(user.line);
        let url = user.url(&server);
        let store = ["--store", &url, "--config", policies, "--workers", "1"];
        // Left to itself the front finds the engine that its user may run.
        let front = Front::start(&[&store[..], &PATIENT].concat());
        assert_eq!(front.get("/health/ready").body["engine"], json!(user.engine));
        assert_eq!(story(&front, "k"), Vec::<String>::new(), "{}", user.name);

        let front = Front::start(&[&store[..], &PATIENT, &["--engine", user.engine]].concat());
        // What the role is for has a test of its own.
        for (i, grant) in user.grants().filter(|grant| *grant != "role").enumerate() {
            server.run::<Value>(&user.line.replacen(&format!(" +{grant}"), "", 1));
            server.run::<Value>("SCRIPT FLUSH");
            if grant == "script|load" {
                // It is for new connections.
                server.run::<Value>(&format!("CLIENT KILL USER {}", user.name));
                eventually("it cannot load", SOON, || front.log().contains("NOPERM SCRIPT LOAD"));
            }
            let failed = story(&front, &format!("without-{i}"));
            assert!(!failed.is_empty(), "{} serves without +{grant}", user.name);
            server.run::<Value>(user.line);
            eventually("all is well again", SOON, || {
                story(&front, &format!("with-{i}")).is_empty()
            });
        }
        assert!(!front.log().contains(user.password), "{}", front.log());
    }
}

#[test]
fn the_role_is_for_replicas() {
    let primary = Setup::with_module().start();
    let replica = Setup::with_module().start();
    replica.follow(&primary);
    for user in users() {
        let without_role = user.line.replacen(" +role", "", 1);
        for (line, reason) in [(user.line, "it is a replica"), (&without_role, "READONLY")] {
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
fn a_cluster_needs_two_words_more() {
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
        eventually("it serves", SOON, || !degraded());
        // While its slot is on its way, a key that has not been there before is asked of its next node.
        let slot = cluster.slot(KEY);
        let home = cluster.owner(slot);
        cluster.nodes()[home].run::<u64>(&format!("DEL rl:{{{KEY}}}:default"));
        let mut asked = Vec::new();
        cluster.move_slot(slot, home, 1 - home, || {
            everywhere(&line.replacen(" +asking", "", 1));
            asked.push(degraded());
            everywhere(&line);
            asked.push(degraded());
        });
        assert_eq!(asked[..2], [true, false], "{}", front.log());

        everywhere(&line.replacen(" +cluster|slots", "", 1));
        let lost = Front::start_unready(&args);
        eventually("it may not ask for the nodes", SOON, || {
            lost.check(&body);
            lost.log().contains("does not let this user run CLUSTER SLOTS")
        });
    }
}

#[test]
fn a_file_of_users_does_as_well() {
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

/// Every command of the server, with as many arguments as it takes, and its flags.
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
        let mut said: Vec<_> = name.split('|').map(str::to_owned).collect();
        said.resize(words.max(said.len()), "1".to_owned());
        all.push((said.join(" "), flags));
    }
    let mut all = Vec::new();
    server.run::<Vec<Value>>("COMMAND").iter().for_each(|entry| add(entry, &mut all));
    all
}

#[test]
fn neither_may_do_anything_else() {
    let mut setup = Setup::with_module();
    if Flavour::under_test().version >= (7, 0) {
        setup = setup.option(&["enable-module-command", "yes"]); // so that the ACL alone refuses it
    }
    let server = setup.start();
    server.run::<()>("SET other precious");
    server.run::<()>("SET rl:{k}:default precious");
    let commands = all_commands(&server);
    assert!(commands.len() > 200, "{} commands", commands.len());
    for user in users() {
        server.run::<Value>(user.line);
        let mut connection = user.log_in(&server);
        // Whoever reads this looks for these.
        let both = "FLUSHALL\nFLUSHDB\nSHUTDOWN NOSAVE\nKEYS *\nSCAN 0\nMONITOR\nINFO\nDBSIZE\nSELECT 1\nSWAPDB 0 1\n\
            CONFIG GET *\nCONFIG SET dir /tmp\nDEBUG SLEEP 0\nMODULE LIST\nMODULE LOAD /tmp/x.so\n\
            MODULE UNLOAD rl\nACL LIST\nACL SETUSER x\nACL WHOAMI\nSCRIPT FLUSH\nSCRIPT KILL\nSAVE\nBGREWRITEAOF\n\
            REPLICAOF 127.0.0.1 1\nCLUSTER RESET\nCLIENT LIST\nCLIENT KILL TYPE normal\nCLIENT PAUSE 1\nSLOWLOG GET\n\
            PUBLISH a b\nSUBSCRIBE a\nEXPIRE rl:{k}:default 1\nRENAME rl:{k}:default rl:{l}:default\n\
            RESTORE rl:{l}:default 0 x\nDUMP rl:{k}:default\nMIGRATE h 1 other 0 1\nINCR rl:{k}:default\n\
            APPEND rl:{k}:default x\nUNLINK rl:{k}:default";
        let own = match user.engine {
            "module" => {
                "GET rl:{k}:default\nSET rl:{k}:default x\nDEL rl:{k}:default\nMGET rl:{k}:default\nTIME\n\
                 EVAL return 0\nEVALSHA x 0\nSCRIPT LOAD x\nRL.CHECK other 1 1\nRL.PEEK other 1 1\nRL.RESET other\n\
                 RL.CHECKALL rl:{k}:a 1 1 1 other 1 1 1\nRL.MCHECK other 1 1 1"
            }
            _ => {
                "GET other\nSET other x\nDEL other\nMGET rl:{k}:default other\nEVAL return 1 other\n\
                 RL.CHECK rl:{k}:default 1 1\nRL.RESET rl:{k}:default\nSCRIPT EXISTS x"
            }
        };
        for words in both.lines().chain(own.lines()) {
            assert_eq!(taken(&mut connection, words), None, "{}: {words}", user.name);
        }
        // And all that this server knows: what needs no login anybody may say.
        let may = |words: &str| {
            let name = words.split(' ').take(2).collect::<Vec<_>>();
            user.grants().any(|grant| grant == name[0] || grant == name.join("|"))
        };
        for (words, flags) in &commands {
            if !flags.contains(&"no_auth".to_owned()) && !may(words) {
                assert_eq!(taken(&mut connection, words), None, "{}: {words}", user.name);
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
