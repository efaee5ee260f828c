//! The HTTP endpoints around a proxy: clients with their own addresses, and an application.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// A read timeout that is longer than any timeout of a proxy.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A request or a response.
#[derive(Clone, Debug)]
pub struct Message {
    /// The request line or status line.
    pub start_line: String,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A client with its own address in 127.0.0.0/8.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub Ipv4Addr);

/// An application on a free port that records every request.
pub struct Application {
    port: u16,
    requests: Arc<Mutex<Vec<Message>>>,
}

// === impl Message ===

impl Message {
    /// The status of a response.
    pub fn status(&self) -> u16 {
        let status = self.start_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("no status in {:?}", self.start_line))
    }

    /// The value of a header that occurs at most once; empty if there is none.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(it, _)| it == name).map(|(_, value)| value);
        let value = values.next().map_or("", String::as_str);
        assert!(values.next().is_none(), "{name} occurs twice: {:?}", self.headers);
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
    /// Sends a request to a server on 127.0.0.1, on a new connection. `request` is the request line
    /// without its version, followed by header lines.
    #[track_caller]
    pub fn request(self, port: u16, request: &str, body: &[u8]) -> Message {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddrV4::new(self.0, 0).into()).expect("an address of 127.0.0.0/8");
        let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        socket.connect(&server.into()).expect("a connection to the proxy");
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("a time limit");
        let (line, headers) = request.split_once('\n').unwrap_or((request, ""));
        let mut head = format!("{line} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n");
        for header in headers.lines() {
            head += &format!("{}\r\n", header.trim());
        }
        if !body.is_empty() {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).expect("to send");
        // A proxy that denies the request need not read its body.
        let _ = stream.write_all(body);
        Message::read(&stream).expect("a response from the proxy")
    }
}

// === impl Application ===

impl Application {
    /// Starts an application that answers every request with `hello`.
    pub fn start() -> Self {
        Self::with_handler(|_| (200, "hello".to_owned()))
    }

    /// Starts an application that answers with the status and body that `handler` returns.
    pub fn with_handler(
        handler: impl Fn(&Message) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let requests = Arc::default();
        let (recorded, handler) = (Arc::clone(&requests), Arc::new(handler));
        // The thread and its port live until the test process ends.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (recorded, handler) = (Arc::clone(&recorded), Arc::clone(&handler));
                thread::spawn(move || serve(&stream, &recorded, handler.as_ref()));
            }
        });
        Self { port, requests }
    }

    /// The application's port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Takes the requests recorded since the last call.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn serve(
    mut stream: &TcpStream,
    recorded: &Mutex<Vec<Message>>,
    handler: &dyn Fn(&Message) -> (u16, String),
) {
    let Some(request) = Message::read(stream) else { return };
    let (status, body) = handler(&request);
    recorded.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    let head = format!("HTTP/1.1 {status} OK\r\nContent-Type: text/plain\r\nConnection: close");
    let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
}
