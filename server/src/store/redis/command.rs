//! What is said to Redis, word for word.

use rl_bucket::{Cost, Limit};

use super::{engine::Engine, words::Words};
use crate::store::{Ask, Request};

/// A command of the module; each has a script that does the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Takes tokens if there are enough.
    Check,
    /// The same answer, taking nothing.
    Peek,
    /// Independent checks.
    MCheck,
    /// Checks that stand or fall together.
    CheckAll,
    /// Takes whole tokens as far as they go.
    Take,
    /// Gives tokens back.
    Refund,
    /// Takes tokens into debt.
    Charge,
    /// Deletes buckets.
    Reset,
}

/// How a script is named; the module's commands have one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// By its hash.
    Hash,
    /// In full, for a server that has forgotten it; that also loads it.
    Full,
}

/// A bucket nobody checks.
const PROBE_KEY: &str = "rl:{probe}:probe";

// === impl Command ===

impl Command {
    /// Every command, in the order of declaration.
    pub const ALL: [Self; 8] = [
        Self::Check,
        Self::Peek,
        Self::MCheck,
        Self::CheckAll,
        Self::Take,
        Self::Refund,
        Self::Charge,
        Self::Reset,
    ];

    /// Its name in the module.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Check => "RL.CHECK",
            Self::Peek => "RL.PEEK",
            Self::MCheck => "RL.MCHECK",
            Self::CheckAll => "RL.CHECKALL",
            Self::Take => "RL.TAKE",
            Self::Refund => "RL.REFUND",
            Self::Charge => "RL.CHARGE",
            Self::Reset => "RL.RESET",
        }
    }

    /// Whether its script takes numbers that are the same for all buckets once.
    fn takes_numbers_once(self) -> bool {
        matches!(self, Self::Check | Self::MCheck)
    }
}

impl From<Ask> for Command {
    fn from(ask: Ask) -> Self {
        match ask {
            Ask::Check => Self::Check,
            Ask::Peek => Self::Peek,
            Ask::Refund => Self::Refund,
            Ask::Charge => Self::Charge,
        }
    }
}

// === impl Engine ===

impl Engine {
    /// Any command but `RL.RESET`, about these buckets, in this form.
    pub(super) fn ask(&self, command: Command, requests: &[Request<'_>], form: Form) -> Words {
        match self {
            Self::Module => {
                let mut words = Words::command(1 + 4 * requests.len());
                words.word(command.name());
                let mut known = Known::default();
                for request in requests {
                    words.word(request.key);
                    known.say(&mut words, request, |words, limit| {
                        words.number(limit.capacity());
                        words.number(limit.rate());
                    });
                }
                words
            }
            Self::Lua(scripts) => {
                let once = command.takes_numbers_once() && uniform(requests);
                let numbers = if once { &requests[..1] } else { requests };
                let mut words = Words::command(3 + requests.len() + 3 * numbers.len());
                scripts.say(&mut words, command, form, requests.len());
                requests.iter().for_each(|request| words.word(request.key));
                let mut known = Known::default();
                for request in numbers {
                    known.say(&mut words, request, |words, limit| {
                        words.number(limit.capacity());
                        // The shortest text that reads back as the same double, so Lua computes with it.
                        words.number(limit.rate().per_second());
                    });
                }
                words
            }
        }
    }

    /// `RL.RESET` of these keys.
    pub(super) fn reset(&self, keys: &[&[u8]], form: Form) -> Words {
        let mut words;
        match self {
            Self::Module => {
                words = Words::command(1 + keys.len());
                words.word(Command::Reset.name());
            }
            Self::Lua(scripts) => {
                words = Words::command(3 + keys.len());
                scripts.say(&mut words, Command::Reset, form, keys.len());
            }
        }
        keys.iter().for_each(|key| words.word(key));
        words
    }

    /// A command that writes nothing and shows that the engine works.
    pub(super) fn probe(&self, form: Form) -> Words {
        let mut words;
        match self {
            Self::Module => {
                words = Words::command(5);
                words.word(Command::Peek.name());
            }
            Self::Lua(scripts) => {
                words = Words::command(7);
                scripts.say(&mut words, Command::Peek, form, 1);
            }
        }
        for word in [PROBE_KEY, "1", "1", "1"] {
            words.word(word);
        }
        words
    }
}

/// Whether all ask for the same amount under the same limit.
fn uniform(requests: &[Request<'_>]) -> bool {
    let same =
        |pair: &[Request<'_>]| pair[0].limit == pair[1].limit && pair[0].amount == pair[1].amount;
    requests.windows(2).all(same)
}

/// The numbers of the last request, which mostly are those of the next.
#[derive(Default)]
struct Known {
    last: Option<(Limit, Cost)>,
    from: usize,
    to: usize,
}

// === impl Known ===

impl Known {
    fn say(
        &mut self,
        words: &mut Words,
        request: &Request<'_>,
        limit: impl FnOnce(&mut Words, &Limit),
    ) {
        let numbers = Some((request.limit, request.amount));
        if self.last == numbers {
            words.repeat(self.from, self.to);
            return;
        }
        self.from = words.len();
        limit(words, &request.limit);
        words.number(request.amount);
        (self.last, self.to) = (numbers, words.len());
    }
}

#[cfg(test)]
mod tests {
    use rl_bucket::{Cost, Limit};

    use super::{Command, Engine, Form, Words};
    use crate::store::{Ask, Request, redis::scripts::Scripts};

    fn lua() -> Engine {
        Engine::Lua(Scripts::named(Command::ALL.map(|command| format!("sha-{command:?}"))))
    }

    fn request<'a>(key: &'a str, capacity: &str, rate: &str, amount: &str) -> Request<'a> {
        Request {
            key: key.as_bytes(),
            limit: Limit::parse(capacity, rate).unwrap(),
            amount: Cost::parse(amount.as_bytes()).unwrap(),
        }
    }

    /// The words with a space between, as one would type them.
    fn line(words: &Words) -> String {
        let text = String::from_utf8(words.bytes().to_vec()).unwrap();
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

    #[test]
    fn the_words() {
        let one = [request("rl:{k}:default", "100", "120/m", "0.1")];
        let two = [request("a", "1.5", "1/4s", "1"), request("b", "7", "10", "0")];
        for (command, requests, module, script) in [
            (
                Command::Check,
                &one[..],
                "RL.CHECK rl:{k}:default 100 120/m 0.1",
                "EVALSHA sha-Check 1 rl:{k}:default 100 2 0.1",
            ),
            (
                Command::Peek,
                &one,
                "RL.PEEK rl:{k}:default 100 120/m 0.1",
                "EVALSHA sha-Peek 1 rl:{k}:default 100 2 0.1",
            ),
            (
                Command::MCheck,
                &two,
                "RL.MCHECK a 1.5 1/4s 1 b 7 10 0",
                "EVALSHA sha-MCheck 2 a b 1.5 0.25 1 7 10 0",
            ),
            (
                Command::CheckAll,
                &two,
                "RL.CHECKALL a 1.5 1/4s 1 b 7 10 0",
                "EVALSHA sha-CheckAll 2 a b 1.5 0.25 1 7 10 0",
            ),
            (
                Command::Take,
                &one,
                "RL.TAKE rl:{k}:default 100 120/m 0.1",
                "EVALSHA sha-Take 1 rl:{k}:default 100 2 0.1",
            ),
            (
                Command::Refund,
                &one,
                "RL.REFUND rl:{k}:default 100 120/m 0.1",
                "EVALSHA sha-Refund 1 rl:{k}:default 100 2 0.1",
            ),
            (
                Command::Charge,
                &one,
                "RL.CHARGE rl:{k}:default 100 120/m 0.1",
                "EVALSHA sha-Charge 1 rl:{k}:default 100 2 0.1",
            ),
        ] {
            assert_eq!(line(&Engine::Module.ask(command, requests, Form::Hash)), module);
            assert_eq!(line(&lua().ask(command, requests, Form::Hash)), script);
        }
        let keys: [&[u8]; 2] = [b"a", b"b"];
        assert_eq!(line(&Engine::Module.reset(&keys, Form::Hash)), "RL.RESET a b");
        assert_eq!(line(&lua().reset(&keys, Form::Hash)), "EVALSHA sha-Reset 2 a b");
        assert_eq!(line(&Engine::Module.probe(Form::Hash)), "RL.PEEK rl:{probe}:probe 1 1 1");
        assert_eq!(line(&lua().probe(Form::Hash)), "EVALSHA sha-Peek 1 rl:{probe}:probe 1 1 1");
    }

    #[test]
    fn a_rate_reaches_lua_to_the_last_bit() {
        let request = request("k", "0.000000001", "100/m", "1");
        let words = line(&lua().ask(Command::Check, &[request], Form::Hash));
        let rate = words.split(' ').nth(5).unwrap();
        assert_eq!(rate.parse::<f64>().unwrap().to_bits(), (100.0f64 / 60.0).to_bits());
    }

    #[test]
    fn each_ask_is_the_command_of_its_name() {
        for ask in [Ask::Check, Ask::Peek, Ask::Refund, Ask::Charge] {
            assert_eq!(format!("{ask:?}"), format!("{:?}", Command::from(ask)));
        }
    }

    #[test]
    fn numbers_that_are_the_same_are_said_once() {
        let many = [request("a", "5", "1", "1"), request("b", "5", "1", "1")];
        for (command, script) in [
            (Command::MCheck, "EVALSHA sha-MCheck 2 a b 5 1 1"),
            (Command::CheckAll, "EVALSHA sha-CheckAll 2 a b 5 1 1 5 1 1"),
        ] {
            assert_eq!(line(&lua().ask(command, &many, Form::Hash)), script);
        }
        let module = line(&Engine::Module.ask(Command::MCheck, &many, Form::Hash));
        assert_eq!(module, "RL.MCHECK a 5 1 1 b 5 1 1");
        let others = [many[0], many[1], request("c", "5", "1", "2"), many[0]];
        let module = line(&Engine::Module.ask(Command::MCheck, &others, Form::Hash));
        assert_eq!(module, "RL.MCHECK a 5 1 1 b 5 1 1 c 5 1 2 a 5 1 1");
    }

    #[test]
    fn a_forgotten_script_is_sent_in_full() {
        let requests = [request("k", "5", "1", "1")];
        for command in Command::ALL {
            let (words, rest) = match command {
                Command::Reset => (lua().reset(&[b"k"], Form::Full), "1 k"),
                _ => (lua().ask(command, &requests, Form::Full), "1 k 5 1 1"),
            };
            assert_eq!(line(&words), ["EVAL", command.script(), rest].join(" "));
        }
    }
}
