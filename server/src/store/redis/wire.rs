//! One connection to Redis: commands go out as they come, replies come back in the same order.
//!
//! Not the `redis` crate's own connection: to read a reply into its tree of values costs more than the
//! rest of a check does here, and a connection that is ours says for certain what was sent and what was
//! not. Addresses, settings and the words of errors are the crate's.

use std::{cell::RefCell, collections::VecDeque, io, rc::Rc};

use actix_web::rt::{self, task::JoinHandle};
use tokio::{
    select,
    sync::{Notify, oneshot},
};

use super::{
    fault::Fault,
    frame::{Frames, Reply},
    stream::Stream,
    tls::Tls,
    words::Words,
};
use crate::settings::Host;

/// A connection. It belongs to the thread on which it was made.
pub(super) struct Wire {
    ends: Rc<Ends>,
    reader: JoinHandle<()>,
}

struct Ends {
    stream: Stream,
    /// Something was not sent at once.
    more: Notify,
    /// Who waits for a reply, the first for the next.
    waiting: RefCell<VecDeque<oneshot::Sender<Result<Reply, Fault>>>>,
    /// Why it ended, if it has.
    end: RefCell<Option<Fault>>,
    over: Notify,
}

// === impl Wire ===

impl Wire {
    /// Connects.
    pub(super) async fn connect(host: &Host, tls: Option<&Tls>) -> Result<Self, Fault> {
        let stream = Stream::connect(host, tls).await.map_err(broken)?;
        let ends = Rc::new(Ends {
            stream,
            more: Notify::new(),
            waiting: RefCell::default(),
            end: RefCell::default(),
            over: Notify::new(),
        });
        Ok(Self { reader: rt::spawn(run(ends.clone())), ends })
    }

    /// Logs in, and chooses the database.
    pub(super) async fn log_in(
        &self,
        user: Option<&str>,
        password: Option<&str>,
        db: i64,
    ) -> Result<(), Fault> {
        if let Some(password) = password {
            let words = [Some("AUTH"), user, Some(password)];
            self.say(words.into_iter().flatten()).await?;
        }
        if db != 0 {
            self.say(["SELECT", &db.to_string()]).await?;
        }
        Ok(())
    }

    /// Sends a command and returns its reply.
    pub(super) fn send(&self, words: &Words) -> impl Future<Output = Result<Reply, Fault>> + use<> {
        let waiting = self.wait();
        self.ends.write(words.bytes());
        waiting
    }

    /// Sends so many commands at once and returns their replies, in order.
    pub(super) fn send_all(
        &self,
        words: &Words,
        count: usize,
    ) -> Vec<impl Future<Output = Result<Reply, Fault>> + use<>> {
        let waiting = (0..count).map(|_| self.wait()).collect();
        self.ends.write(words.bytes());
        waiting
    }

    /// Replies for which somebody waits, or waited.
    pub(super) fn in_flight(&self) -> usize {
        self.ends.waiting.borrow().len()
    }

    /// Waits for its end: why it ended. For one who watches, not for several.
    pub(super) async fn ended(&self) -> Fault {
        loop {
            if let Some(fault) = self.ends.end.borrow().clone() {
                return fault;
            }
            self.ends.over.notified().await;
        }
    }

    /// A place in the line of those who wait for a reply: taken before the question is sent.
    fn wait(&self) -> impl Future<Output = Result<Reply, Fault>> + use<> {
        let (sender, receiver) = oneshot::channel();
        if self.ends.end.borrow().is_none() {
            self.ends.waiting.borrow_mut().push_back(sender);
        }
        async { receiver.await.unwrap_or_else(|_| Err(Fault::Broken("it hung up".to_owned()))) }
    }

    /// Sends a command of these words and returns its reply.
    pub(super) async fn say<'w>(
        &self,
        words: impl IntoIterator<Item = &'w str>,
    ) -> Result<Reply, Fault> {
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
    fn write(&self, bytes: &[u8]) {
        if self.end.borrow().is_some() {
            return;
        }
        let _ = self.stream.send(bytes); // an error shows in reading too
        if self.stream.is_unsent() {
            self.more.notify_one();
        }
    }

    /// Tells everybody who waits why there is no reply.
    fn end(&self, fault: &Fault) {
        self.end.replace(Some(fault.clone()));
        self.over.notify_one();
        for waiting in self.waiting.take() {
            let _ = waiting.send(Err(fault.clone()));
        }
    }

    /// Hands out every reply that is whole.
    fn read(&self, frames: &mut Frames) -> Result<(), Fault> {
        let open = self.stream.read(frames.buffer()).map_err(broken)?;
        while let Some(reply) = frames.next()? {
            // Who gave up waiting has not taken its place away.
            match self.waiting.borrow_mut().pop_front() {
                Some(waiting) => drop(waiting.send(reply)),
                None => return Err(Fault::Broken("it answers what was not asked".to_owned())),
            }
        }
        if open { Ok(()) } else { Err(Fault::Broken("it hung up".to_owned())) }
    }
}

/// Reads, and writes what could not be written at once, until the connection ends.
async fn run(ends: Rc<Ends>) {
    let mut frames = Frames::default();
    let fault = loop {
        let unsent = ends.stream.is_unsent();
        let step = select! {
            biased;
            ready = ends.stream.readable() => match ready {
                Ok(()) => ends.read(&mut frames),
                Err(error) => Err(broken(error)),
            },
            ready = ends.stream.writable(), if unsent => {
                ready.and_then(|()| ends.stream.flush()).map_err(broken)
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
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::{Fault, Reply, Wire, Words};
    use crate::settings::Host;

    /// Both ends of a connection.
    async fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Host::parse(&listener.local_addr().unwrap().to_string()).unwrap();
        let (wire, server) = tokio::join!(Wire::connect(&host, None), listener.accept());
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
            // And whoever asks for nothing.
            assert_eq!(wire.ended().await, Fault::Broken(reason.to_owned()));
            // And later ones at once.
            let late = wire.send(&ping()).now_or_never().expect("at once");
            assert!(matches!(late, Err(Fault::Broken(_))), "{reason}");
        }
    }
}
