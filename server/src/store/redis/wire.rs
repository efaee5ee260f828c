//! One connection to Redis: commands go out as they come, replies come back in the same order.
//!
//! Not the `redis` crate's own connection: to read a reply into its tree of values costs more than the
//! rest of a check does here, and a connection that is ours says for certain what was sent and what was
//! not. Addresses, settings and the words of errors are the crate's.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    rc::Rc,
};

use actix_web::rt::{self, task::JoinHandle};
use redis::{Client, ConnectionAddr};
use tokio::{
    net::TcpStream,
    select,
    sync::{Notify, oneshot},
};

use super::{
    fault::Fault,
    frame::{Frames, Reply},
    words::Words,
};

/// A connection. It belongs to the thread on which it was made.
pub(super) struct Wire {
    ends: Rc<Ends>,
    reader: JoinHandle<()>,
}

struct Ends {
    stream: TcpStream,
    /// What the socket did not take yet.
    unsent: RefCell<Vec<u8>>,
    more: Notify,
    /// Who waits for a reply, the first for the next.
    waiting: RefCell<VecDeque<oneshot::Sender<Result<Reply, Fault>>>>,
    ended: Cell<bool>,
}

/// Bytes read at once: a batch of 1,000 answers is less.
const READ: usize = 64 << 10;

// === impl Wire ===

impl Wire {
    /// Connects and logs in.
    pub(super) async fn connect(client: &Client) -> Result<Self, Fault> {
        let info = client.get_connection_info();
        let stream = match info.addr() {
            ConnectionAddr::Tcp(host, port) => TcpStream::connect((host.as_str(), *port)).await,
            _ => Err(io::Error::from(io::ErrorKind::Unsupported)),
        };
        let stream = stream.map_err(broken)?;
        // A check is one small write: Nagle's algorithm would hold it back until the last is acknowledged.
        stream.set_nodelay(true).map_err(broken)?;
        let ends = Rc::new(Ends {
            stream,
            unsent: RefCell::default(),
            more: Notify::new(),
            waiting: RefCell::default(),
            ended: Cell::new(false),
        });
        let wire = Self { reader: rt::spawn(run(ends.clone())), ends };
        let settings = info.redis_settings();
        if let Some(password) = settings.password() {
            let words = [Some("AUTH"), settings.username(), Some(password)];
            wire.say(words.into_iter().flatten()).await?;
        }
        if settings.db() != 0 {
            wire.say(["SELECT", &settings.db().to_string()]).await?;
        }
        Ok(wire)
    }

    /// Sends commands, of which there are as many as `words` says, and returns the reply to the only one.
    pub(super) fn send(&self, words: &Words) -> impl Future<Output = Result<Reply, Fault>> + use<> {
        let (sender, receiver) = oneshot::channel();
        if !self.ends.ended.get() {
            // In this order: a reply finds who waits for it.
            self.ends.waiting.borrow_mut().push_back(sender);
            self.ends.write(words.bytes());
        }
        async { receiver.await.unwrap_or_else(|_| Err(Fault::Broken("it hung up".to_owned()))) }
    }

    async fn say<'w>(&self, words: impl IntoIterator<Item = &'w str>) -> Result<Reply, Fault> {
        let words: Vec<_> = words.into_iter().collect();
        let mut command = Words::command(words.len());
        words.into_iter().for_each(|word| command.word(word));
        self.send(&command).await
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.reader.abort();
        self.ends.end(&Fault::Broken("it was given up".to_owned()));
    }
}

// === impl Ends ===

impl Ends {
    /// Writes at once what the socket takes, and leaves the rest to the task.
    fn write(&self, bytes: &[u8]) {
        let mut unsent = self.unsent.borrow_mut();
        let sent = match unsent.is_empty() {
            true => self.stream.try_write(bytes).unwrap_or(0), // an error shows in reading too
            false => 0,
        };
        if sent < bytes.len() {
            unsent.extend_from_slice(&bytes[sent..]);
            self.more.notify_one();
        }
    }

    /// Tells everybody who waits why there is no reply.
    fn end(&self, fault: &Fault) {
        self.ended.set(true);
        for waiting in self.waiting.take() {
            let _ = waiting.send(Err(fault.clone()));
        }
    }

    fn write_rest(&self) -> io::Result<()> {
        let mut unsent = self.unsent.borrow_mut();
        match self.stream.try_write(&unsent) {
            Ok(sent) => drop(unsent.drain(..sent)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Hands out every reply that is whole.
    fn read(&self, frames: &mut Frames) -> Result<(), Fault> {
        let buffer = frames.buffer();
        buffer.reserve(READ);
        match self.stream.try_read_buf(buffer) {
            Ok(0) => return Err(Fault::Broken("it hung up".to_owned())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(broken(error)),
        }
        while let Some(reply) = frames.next()? {
            // Who gave up waiting has not taken its place away.
            match self.waiting.borrow_mut().pop_front() {
                Some(waiting) => drop(waiting.send(reply)),
                None => return Err(Fault::Broken("it answers what was not asked".to_owned())),
            }
        }
        Ok(())
    }
}

/// Reads, and writes what could not be written at once, until the connection ends.
async fn run(ends: Rc<Ends>) {
    let mut frames = Frames::default();
    let fault = loop {
        let unsent = !ends.unsent.borrow().is_empty();
        let step = select! {
            biased;
            ready = ends.stream.readable() => match ready {
                Ok(()) => ends.read(&mut frames),
                Err(error) => Err(broken(error)),
            },
            ready = ends.stream.writable(), if unsent => {
                ready.and_then(|()| ends.write_rest()).map_err(broken)
            }
            () = ends.more.notified(), if !unsent => Ok(()),
        };
        if let Err(fault) = step {
            break fault;
        }
    };
    ends.end(&fault);
}

fn broken(error: io::Error) -> Fault {
    Fault::Broken(error.to_string())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use redis::Client;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::{Fault, Reply, Wire, Words};

    /// Both ends of a connection.
    async fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::open(format!("redis://{}", listener.local_addr().unwrap())).unwrap();
        let (wire, server) = tokio::join!(Wire::connect(&client), listener.accept());
        (wire.unwrap(), server.unwrap().0)
    }

    fn ping() -> Words {
        let mut words = Words::command(1);
        words.word("PING");
        words
    }

    #[actix_web::test]
    async fn each_gets_its_own_reply_and_who_gave_up_keeps_its_place() {
        let (wire, mut server) = pair().await;
        let (first, second, third) = (wire.send(&ping()), wire.send(&ping()), wire.send(&ping()));
        drop(second);
        let mut heard = vec![0; 3 * ping().bytes().len()];
        server.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, ping().bytes().repeat(3));
        server.write_all(b"*1\r\n:1\r\n*1\r\n:2\r\n*1\r\n:3\r\n").await.unwrap();
        assert_eq!(first.await, Ok(Reply::Integers(vec![1])));
        assert_eq!(third.await, Ok(Reply::Integers(vec![3])));
    }

    #[actix_web::test]
    async fn more_than_the_socket_takes_goes_out_all_the_same() {
        let (wire, mut server) = pair().await;
        let mut words = Words::command(1);
        words.word(vec![b'x'; 8 << 20]);
        let length = words.bytes().len();
        let (asked, after) = (wire.send(&words), wire.send(&ping()));
        let mut heard = vec![0; length + ping().bytes().len()];
        server.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard[length..], *ping().bytes());
        server.write_all(b"*1\r\n:1\r\n*1\r\n:2\r\n").await.unwrap();
        assert_eq!(asked.await, Ok(Reply::Integers(vec![1])));
        assert_eq!(after.await, Ok(Reply::Integers(vec![2])));
    }

    #[actix_web::test]
    async fn whoever_waits_is_told_how_it_ended() {
        for (said, reason) in [
            (&b""[..], "it hung up"),
            (b"HTTP/1.1 400 Bad Request\r\n", "its answer makes no sense"),
            (b"*1\r\n:1\r\n*1\r\n:2\r\n*1\r\n:3\r\n", "it answers what was not asked"),
        ] {
            let (wire, mut server) = pair().await;
            let (first, second) = (wire.send(&ping()), wire.send(&ping()));
            server.read_exact(&mut vec![0; 2 * ping().bytes().len()]).await.unwrap();
            server.write_all(said).await.unwrap();
            drop(server);
            let broken = Err(Fault::Broken(reason.to_owned()));
            if reason.contains("not asked") {
                assert_eq!(first.await, Ok(Reply::Integers(vec![1])));
                assert_eq!(second.await, Ok(Reply::Integers(vec![2])));
            } else {
                assert_eq!((first.await, second.await), (broken.clone(), broken));
            }
            // And later ones at once.
            tokio::task::yield_now().await;
            let late = wire.send(&ping()).now_or_never().expect("at once");
            assert!(matches!(late, Err(Fault::Broken(_))), "{reason}");
        }
    }
}
