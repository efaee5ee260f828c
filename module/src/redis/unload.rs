//! Unloading, which the module refuses where the server would not survive it.
//!
//! A server frees the commands of a module that it unloads, and not all see to what still refers to
//! them: rules of ACL users, commands queued in a transaction, and commands that wait for the end of
//! a pause.

use std::panic::{AssertUnwindSafe, catch_unwind};

use redis_module::{Context, RedisValue, Status};

/// The beginning of the names of the module's commands.
const PREFIX: &str = "rl.";

/// Refuses if something refers to the module's commands, and logs what.
pub(super) fn refuse_in_use(context: &Context) -> Status {
    let status = catch_unwind(AssertUnwindSafe(|| match reason_to_stay(context) {
        None => Status::Ok,
        Some(reason) => {
            // The server takes the text for a format.
            let line = format!("the module stays loaded: {reason}").replace('%', "%%");
            context.log_warning(&line);
            Status::Err
        }
    }));
    status.unwrap_or(Status::Err)
}

fn reason_to_stay(context: &Context) -> Option<String> {
    let Some(rules) = lines(context, "ACL") else {
        return Some("ACL LIST, which tells whether users name its commands, failed".to_owned());
    };
    if let Some((user, rule)) = rules.iter().find_map(|line| rule_of_ours(line)) {
        return Some(format!("ACL user {user} has the rule {rule}: take it away first"));
    }
    let Some(clients) = lines(context, "CLIENT") else {
        return Some("CLIENT LIST, which tells whether commands wait, failed".to_owned());
    };
    let client = clients.iter().find(|line| may_hold_our_command(line))?;
    let id = field(client, "id").unwrap_or_default();
    Some(format!("client {id} may hold one of its commands: try again when it is done"))
}

/// The lines of the reply to `COMMAND LIST`.
fn lines(context: &Context, command: &str) -> Option<Vec<String>> {
    let texts = match context.call(command, &["LIST"]).ok()? {
        RedisValue::Array(texts) => texts,
        text => vec![text],
    };
    let mut lines = Vec::new();
    for text in texts {
        let text = match text {
            RedisValue::SimpleString(text) | RedisValue::BulkString(text) => text,
            RedisValue::StringBuffer(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            _ => return None,
        };
        lines.extend(text.lines().map(str::to_owned));
    }
    Some(lines)
}

/// The user and the first rule, of a line of `ACL LIST`, that names a command of this module:
/// `user NAME on nopass ~rl:* -@all +rl.check (~other +rl.peek)`.
fn rule_of_ours(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split(' ').skip(1);
    let user = words.next()?;
    let rule = words.map(|word| word.trim_matches(['(', ')'])).find(|word| {
        word.strip_prefix(['+', '-']).is_some_and(|command| {
            command.get(..PREFIX.len()).is_some_and(|it| it.eq_ignore_ascii_case(PREFIX))
        })
    })?;
    Some((user, rule))
}

/// Whether a client, a line of `CLIENT LIST`, has queued commands or waits with one of ours.
fn may_hold_our_command(line: &str) -> bool {
    let has_queued = field(line, "multi").is_some_and(|count| !["-1", "0"].contains(&count));
    let is_blocked = field(line, "flags").is_some_and(|flags| flags.contains('b'));
    let is_ours = field(line, "cmd").is_some_and(|command| command.starts_with(PREFIX));
    has_queued || (is_blocked && is_ours)
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
}
