//! One connection to Redis: commands are sent at once, replies come back in the same order.
//!
//! The `redis` crate has a connection of its own. It is not used, because reading a reply into the
//! crate's tree of values costs more than the rest of a check does here, and because this
//! connection says for certain what was sent and what was not (decision 7 in `docs/decisions/`).
//! Addresses and the texts of errors are the crate's.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use smallvec::SmallVec;
use tokio::{
    select,
    sync::{Notify, OwnedSemaphorePermit, oneshot},
    task::{JoinHandle, spawn_local},
};

use super::{
    addresses::Address,
    decode::{MAX_REPLY, ReplyDecoder},
    encode::CommandBuf,
    pending::PendingReplies,
    reply::Reply,
    socket::Socket,
    tls::TlsConfig,
};
use crate::redis::{error::CommandError, topology::slot::SLOTS};

/// A connection. It belongs to the thread on which it was made.
pub(in crate::redis) struct Connection {
    shared: Rc<Shared>,
    driver: JoinHandle<()>,
}

/// The state that callers and the driver task share.
struct Shared {
    socket: Socket,
    /// Wakes the driver when the socket did not take everything.
    unsent: Notify,
    pending: RefCell<PendingReplies>,
    /// The reason of the end, once the connection has ended.
    end: RefCell<Option<CommandError>>,
    ended: Notify,
}

/// How a server begins that was spoken to without TLS (RFC 8446, section 5.1). No reply does.
const TLS_ALERT: &[u8] = &[21, 3];
const SPEAKS_TLS: &str = "the server speaks TLS here: use rediss:// (and so on) in --store";
const BEFORE_ANY_REPLY: &str =
    "before any reply (if the server speaks TLS here, use rediss:// and so on in --store)";

/// Most bytes of the reply to `CLUSTER SLOTS`: 4 KiB for each of 16,384 ranges of one slot, which is
/// a primary and nine replicas with the longest IPv6 addresses and host names.
const MAX_SLOT_MAP: usize = SLOTS << 12;

/// The reply to a command that was sent.
pub(in crate::redis) struct PendingReply(oneshot::Receiver<Result<Reply, CommandError>>);

// === impl Connection ===

impl Connection {
    /// Connects to this address.
    pub(in crate::redis) async fn connect(
        address: Address<'_>,
        tls: Option<&TlsConfig>,
    ) -> Result<Self, CommandError> {
        let socket = Socket::connect(address, tls).await.map_err(broken)?;
        let shared = Rc::new(Shared {
            socket,
            unsent: Notify::new(),
            pending: RefCell::default(),
            end: RefCell::default(),
            ended: Notify::new(),
        });
        Ok(Self { driver: spawn_local(drive(shared.clone())), shared })
    }

    /// Sends a command of these arguments and returns its reply.
    pub(in crate::redis) async fn command<'a>(
        &self,
        args: impl IntoIterator<Item = &'a str>,
    ) -> Result<Reply, CommandError> {
        let args: Vec<_> = args.into_iter().collect();
        let name = args.first().copied().unwrap_or_default();
        let reply = self.send(&CommandBuf::of(args.iter().copied())).await;
        reply.map_err(|error| in_reply_to(name, error))
    }

    /// Sends `CLUSTER SLOTS` and returns its reply, which may be longer than any other.
    pub(in crate::redis) async fn slot_map(&self) -> Result<Reply, CommandError> {
        let reply = self.push(MAX_SLOT_MAP);
        self.shared.write(CommandBuf::of(["CLUSTER", "SLOTS"]).bytes());
        reply.await.map_err(|error| in_reply_to("CLUSTER SLOTS", error))
    }

    /// Sends one command, at once, and returns its reply.
    pub(in crate::redis) fn send(&self, command: &CommandBuf) -> PendingReply {
        let reply = self.push(MAX_REPLY);
        self.shared.write(command.bytes());
        reply
    }

    /// Sends `count` commands, at once, and returns their replies in order.
    pub(in crate::redis) fn send_all(
        &self,
        commands: &CommandBuf,
        count: usize,
    ) -> SmallVec<[PendingReply; 1]> {
        let replies = (0..count).map(|_| self.push(MAX_REPLY)).collect();
        self.shared.write(commands.bytes());
        replies
    }

    /// Holds a turn until the reply to the last command has come, whether or not anybody waits.
    pub(in crate::redis) fn hold(&self, turn: OwnedSemaphorePermit) {
        self.shared.pending.borrow_mut().hold(turn);
    }

    /// Replies still to come, those that nobody waits for any more included.
    pub(in crate::redis) fn in_flight(&self) -> usize {
        self.shared.pending.borrow().len()
    }

    /// The number of replies that have come, those included that nobody waited for any more.
    pub(in crate::redis) fn replies(&self) -> u64 {
        self.shared.pending.borrow().delivered()
    }

    /// Waits until the connection ends and returns the reason. One task at a time may wait.
    pub(in crate::redis) async fn ended(&self) -> CommandError {
        loop {
            if let Some(error) = self.shared.end.borrow().clone() {
                return error;
            }
            self.shared.ended.notified().await;
        }
    }

    /// Takes a place among the pending replies, which is done before the command is sent.
    fn push(&self, limit: usize) -> PendingReply {
        PendingReply(match &*self.shared.end.borrow() {
            None => self.shared.pending.borrow_mut().push(limit),
            Some(_) => oneshot::channel().1, // its sender is gone: it fails at once
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
        self.shared.end(&CommandError::Broken("connection replaced".to_owned()));
    }
}

// === impl PendingReply ===

impl Future for PendingReply {
    type Output = Result<Reply, CommandError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let received = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(received.unwrap_or_else(|_| Err(closed_by_peer())))
    }
}

// === impl Shared ===

impl Shared {
    fn write(&self, bytes: &[u8]) {
        if self.end.borrow().is_some() {
            return;
        }
        let _ = self.socket.send(bytes); // an error also shows in reading
        if self.socket.has_unsent() {
            self.unsent.notify_one();
        }
    }

    /// Reads the replies that have arrived and hands them out.
    async fn read(&self, decoder: &mut ReplyDecoder) -> Result<(), CommandError> {
        let buffer = decoder.buffer();
        let is_open = self.socket.read(buffer).await.map_err(|it| self.hung_up(broken(it)))?;
        if buffer.starts_with(TLS_ALERT) {
            return Err(CommandError::Broken(SPEAKS_TLS.to_owned()));
        }
        self.pending.borrow_mut().deliver(decoder)?;
        if is_open { Ok(()) } else { Err(self.hung_up(closed_by_peer())) }
    }

    /// The error of a connection that the server has ended. One that speaks TLS ends those without
    /// it, often without an alert.
    fn hung_up(&self, error: CommandError) -> CommandError {
        match error {
            CommandError::Broken(reason)
                if self.pending.borrow().delivered() == 0 && self.socket.is_plain() =>
            {
                CommandError::Broken(format!("{reason} {BEFORE_ANY_REPLY}"))
            }
            error => error,
        }
    }

    /// Ends the connection: every pending command fails for this reason.
    fn end(&self, error: &CommandError) {
        self.end.replace(Some(error.clone()));
        self.ended.notify_one();
        self.pending.borrow_mut().fail(error);
    }
}

/// Reads replies, and sends the bytes that were kept, until the connection ends.
async fn drive(shared: Rc<Shared>) {
    let mut decoder = ReplyDecoder::default();
    let error = loop {
        let has_unsent = shared.socket.has_unsent();
        let step = select! {
            biased;
            read = shared.read(&mut decoder) => read,
            flushed = shared.socket.flush(), if has_unsent => flushed.map_err(broken),
            () = shared.unsent.notified(), if !has_unsent => Ok(()),
        };
        if let Err(error) = step {
            break error;
        }
    };
    shared.end(&error);
}

/// The error with the command that it was the answer to.
pub(in crate::redis) fn in_reply_to(command: &str, error: CommandError) -> CommandError {
    match error {
        CommandError::Broken(reason) => {
            CommandError::Broken(format!("{reason} in reply to {command}"))
        }
        error => error,
    }
}

fn broken(error: io::Error) -> CommandError {
    CommandError::Broken(error.to_string())
}

fn closed_by_peer() -> CommandError {
    CommandError::Broken("closed by peer".to_owned())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use redis::Value;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::{Address, CommandBuf, CommandError, Connection, Reply, SLOTS};
    use crate::redis::address::Host;

    /// A connection and the server's end of it.
    async fn pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let host = Host::parse(&address.to_string()).unwrap();
        let connecting = Connection::connect(Address::Tcp(&host, address), None);
        let (connection, server) = tokio::join!(connecting, listener.accept());
        (connection.unwrap(), server.unwrap().0)
    }

    fn ping() -> CommandBuf {
        let mut buf = CommandBuf::command(1);
        buf.arg("PING");
        buf
    }

    #[tokio::test(flavor = "local")]
    async fn each_caller_gets_its_own_reply_when_another_has_given_up() {
        let (connection, mut server) = pair().await;
        let (first, second, third) =
            (connection.send(&ping()), connection.send(&ping()), connection.send(&ping()));
        drop(second);
        let mut received = vec![0; 3 * ping().bytes().len()];
        server.read_exact(&mut received).await.unwrap();
        assert_eq!(received, ping().bytes().repeat(3));
        server.write_all(b"*1\r\n:1\r\n*1\r\n:2\r\n*1\r\n:3\r\n").await.unwrap();
        assert_eq!(first.await, Ok(Reply::Integers(vec![1])));
        assert_eq!(third.await, Ok(Reply::Integers(vec![3])));
    }

    #[tokio::test(flavor = "local")]
    async fn bytes_that_the_socket_does_not_take_are_sent_later() {
        let (connection, mut server) = pair().await;
        let mut buf = CommandBuf::command(1);
        buf.arg(vec![b'x'; 8 << 20]);
        let length = buf.bytes().len();
        let (long, short) = (connection.send(&buf), connection.send(&ping()));
        let mut received = vec![0; length + ping().bytes().len()];
        server.read_exact(&mut received).await.unwrap();
        assert_eq!(received[length..], *ping().bytes());
        server.write_all(b"*1\r\n:1\r\n*1\r\n:2\r\n").await.unwrap();
        assert_eq!(long.await, Ok(Reply::Integers(vec![1])));
        assert_eq!(short.await, Ok(Reply::Integers(vec![2])));
    }

    /// The slot map of 16,384 ranges, each of a primary and `replicas`.
    fn slot_map(replicas: usize) -> Vec<u8> {
        let node = |port: usize| {
            let address = "2001:0db8:0000:0000:0000:0000:0000:0001";
            let (id, host) = ("0".repeat(40), "h".repeat(200));
            format!(
                "*4\r\n$39\r\n{address}\r\n:{port}\r\n$40\r\n{id}\r\n\
                 *2\r\n$8\r\nhostname\r\n$200\r\n{host}\r\n"
            )
        };
        let nodes: String = (0..=replicas).map(|replica| node(7000 + replica)).collect();
        let range = |slot| format!("*{}\r\n:{slot}\r\n:{slot}\r\n{nodes}", 3 + replicas);
        format!("*{SLOTS}\r\n{}", (0..SLOTS).map(range).collect::<String>()).into_bytes()
    }

    #[tokio::test(flavor = "local")]
    async fn a_slot_map_of_a_range_for_each_slot_is_read() {
        let (connection, mut server) = pair().await;
        let map = slot_map(2);
        assert!(map.len() > 10 * super::MAX_REPLY);
        let send = async {
            for piece in map.chunks(50_001) {
                server.write_all(piece).await.unwrap();
            }
            server
        };
        let (reply, _server) = tokio::join!(connection.slot_map(), send);
        let Reply::Other(Value::Array(ranges)) = reply.unwrap() else { panic!("no array") };
        assert_eq!(ranges.len(), SLOTS);
    }

    #[tokio::test(flavor = "local")]
    async fn an_endless_slot_map_is_an_error() {
        let (connection, mut server) = pair().await;
        let endless = async {
            let entry = "$1000\r\n".to_owned() + &"x".repeat(1000) + "\r\n";
            let piece = entry.repeat(100);
            let _ = server.write_all(b"*9999999\r\n").await;
            while server.write_all(piece.as_bytes()).await.is_ok() {}
        };
        let (reply, ()) = tokio::join!(
            async {
                let reply = connection.slot_map().await;
                drop(connection);
                reply
            },
            endless
        );
        let reason = "reply of more than 67108864 bytes in reply to CLUSTER SLOTS";
        assert_eq!(reply, Err(CommandError::Broken(reason.to_owned())));
    }

    #[tokio::test(flavor = "local")]
    async fn pending_commands_fail_with_the_reason_of_the_end() {
        for (sent, reason) in [
            (&b""[..], &*format!("closed by peer {}", super::BEFORE_ANY_REPLY)),
            (b"HTTP/1.1 400 Bad Request\r\n", "invalid reply"),
            (b"\x15\x03\x01\x00\x02\x02\x46", super::SPEAKS_TLS),
            (b"*1\r\n:1\r\n*1\r\n:2\r\n*1\r\n:3\r\n", "unexpected reply"),
        ] {
            let (connection, mut server) = pair().await;
            let (first, second) = (connection.send(&ping()), connection.send(&ping()));
            server.read_exact(&mut vec![0; 2 * ping().bytes().len()]).await.unwrap();
            server.write_all(sent).await.unwrap();
            drop(server);
            let broken = Err(CommandError::Broken(reason.to_owned()));
            if reason.contains("unexpected") {
                assert_eq!(first.await, Ok(Reply::Integers(vec![1])));
                assert_eq!(second.await, Ok(Reply::Integers(vec![2])));
            } else {
                assert_eq!((first.await, second.await), (broken.clone(), broken));
            }
            // A task that waits for the end hears the reason too.
            assert_eq!(connection.ended().await, CommandError::Broken(reason.to_owned()));
            // Later commands fail at once.
            let late = connection.send(&ping()).now_or_never().expect("at once");
            assert!(matches!(late, Err(CommandError::Broken(_))), "{reason}");
        }
    }
}
