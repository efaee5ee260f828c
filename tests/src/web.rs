//! The web around a proxy: clients with addresses of their own, and an application.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// Longer than any proxy waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request or an answer.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its first line.
    pub start_line: String,
    /// Its headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// A client at an address of its own, from 127.0.0.0/8.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub Ipv4Addr);

/// An application on a free port that remembers every request.
pub struct Application {
    port: u16,
    requests: Arc<Mutex<Vec<Message>>>,
}

// === impl Message ===

impl Message {
    /// The status of an answer.
    pub fn status(&self) -> u16 {
        let status = self.start_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("no status in {:?}", self.start_line))
    }

    /// A header that is there once; nothing if it is not there.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(it, _)| it == name).map(|(_, value)| value);
        let value = values.next().map_or("", String::as_str);
        assert!(values.next().is_none(), "{name} twice: {:?}", self.headers);
        value
    }

    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let mut lines = lines.into_iter();
        let start_line = lines.next()?;
        let headers = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        let mut message = Self { start_line, headers: headers.collect(), body: Vec::new() };
        let length = message.header("content-length").parse().unwrap_or(0);
        message.body.resize(length, 0);
        reader.read_exact(&mut message.body).ok()?;
        Some(message)
    }
}

// === impl Client ===

impl Client {
    /// Asks a server on 127.0.0.1, on a connection of its own. `request` is the request line without its
    /// version, then header lines.
    #[track_caller]
    pub fn request(self, port: u16, request: &str, body: &[u8]) -> Message {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddrV4::new(self.0, 0).into()).expect("an address of 127.0.0.0/8");
        let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        socket.connect(&server.into()).expect("a connection to the proxy");
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let (line, headers) = request.split_once('\n').unwrap_or((request, ""));
        let mut head = format!("{line} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n");
        for header in headers.lines() {
            head += &format!("{}\r\n", header.trim());
        }
        if !body.is_empty() {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).expect("to send");
        // Who denies need not read the body.
        let _ = stream.write_all(body);
        Message::read(&stream).expect("an answer from the proxy")
    }
}

// === impl Application ===

impl Application {
    /// Starts one that answers `hello` to everything.
    pub fn start() -> Self {
        Self::with_handler(|_| (200, "hello".to_owned()))
    }

    /// Starts one that answers with this status and body.
    pub fn with_handler(how: impl Fn(&Message) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let requests = Arc::default();
        let (seen, how) = (Arc::clone(&requests), Arc::new(how));
        // It lives as long as the tests do, like its port.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, how) = (Arc::clone(&seen), Arc::clone(&how));
                thread::spawn(move || answer(&stream, &seen, how.as_ref()));
            }
        });
        Self { port, requests }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The requests since it was last asked.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn answer(
    mut stream: &TcpStream,
    seen: &Mutex<Vec<Message>>,
    how: &dyn Fn(&Message) -> (u16, String),
) {
    let Some(request) = Message::read(stream) else { return };
    let (status, body) = how(&request);
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    let head = format!("HTTP/1.1 {status} Said\r\nContent-Type: text/plain\r\nConnection: close");
    let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
}
