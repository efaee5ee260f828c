//! The HTTP endpoints around a proxy: clients with their own addresses, and an application.

use std::io::{BufRead, BufReader, Write};
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

/// A client's connection, kept until one side closes it.
pub struct Connection(BufReader<TcpStream>);

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

    fn read(reader: &mut impl BufRead) -> Option<Self> {
        let mut message = Self::read_head(reader)?;
        if message.header("transfer-encoding") == "chunked" {
            message.body = read_chunks(reader)?;
        } else {
            let length = message.header("content-length").parse().unwrap_or(0);
            message.body.resize(length, 0);
            reader.read_exact(&mut message.body).ok()?;
        }
        Some(message)
    }

    fn read_head(reader: &mut impl BufRead) -> Option<Self> {
        let mut lines = Vec::new();
        loop {
            match &read_line(reader)?[..] {
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
        Some(Self { start_line, headers: headers.collect(), body: Vec::new() })
    }
}

/// Reads a line without its end; `None` at the end of the stream.
fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    Some(line.trim_end().to_owned())
}

/// Reads a chunked body without trailers.
fn read_chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(&read_line(reader)?, 16).ok()?;
        let start = body.len();
        body.resize(start + length, 0);
        reader.read_exact(&mut body[start..]).ok()?;
        read_line(reader)?;
        if length == 0 {
            return Some(body);
        }
    }
}

// === impl Client ===

impl Client {
    /// Sends a request to a server on 127.0.0.1, on a new connection that the server is to close.
    /// `request` is as for [`Connection::request`].
    #[track_caller]
    pub fn request(self, port: u16, request: &str, body: &[u8]) -> Message {
        self.connect(port).request(&format!("{request}\nConnection: close"), body)
    }

    /// Connects to a server on 127.0.0.1.
    #[track_caller]
    pub fn connect(self, port: u16) -> Connection {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddrV4::new(self.0, 0).into()).expect("an address of 127.0.0.0/8");
        let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        socket.connect(&server.into()).expect("a connection to the proxy");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("a time limit");
        Connection(BufReader::new(stream))
    }
}

// === impl Connection ===

impl Connection {
    /// Announces a body of `length` bytes, sends none of it, and returns the first response, which
    /// may be a `100 Continue`.
    #[track_caller]
    pub fn announce(&mut self, line: &str, length: usize) -> Message {
        let head = format!(
            "{line} HTTP/1.1\r\nHost: app.test\r\nExpect: 100-continue\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        self.0.get_mut().write_all(head.as_bytes()).expect("to send");
        Message::read_head(&mut self.0).expect("a response from the proxy")
    }

    /// Sends a request and returns its final response. `request` is the request line without its
    /// version, followed by header lines. The body is chunked if the headers say so; it does not
    /// wait for a `100 Continue`.
    #[track_caller]
    pub fn request(&mut self, request: &str, body: &[u8]) -> Message {
        let (line, headers) = request.split_once('\n').unwrap_or((request, ""));
        let mut head = format!("{line} HTTP/1.1\r\nHost: app.test\r\n");
        for header in headers.lines() {
            head += &format!("{}\r\n", header.trim());
        }
        let is_chunked = headers.contains("Transfer-Encoding: chunked");
        if !body.is_empty() && !is_chunked {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        let mut bytes = format!("{head}\r\n").into_bytes();
        if is_chunked {
            push_chunks(&mut bytes, body);
        } else {
            bytes.extend_from_slice(body);
        }
        // A proxy that denies the request need not read its body.
        let _ = self.0.get_mut().write_all(&bytes);
        loop {
            let response = if line.starts_with("HEAD ") {
                Message::read_head(&mut self.0)
            } else {
                Message::read(&mut self.0)
            };
            let response = response.expect("a response from the proxy");
            if response.status() >= 200 {
                return response;
            }
        }
    }
}

fn push_chunks(bytes: &mut Vec<u8>, body: &[u8]) {
    for chunk in body.chunks(50_000).chain([&b""[..]]) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
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
    let Some(request) = Message::read(&mut BufReader::new(stream)) else { return };
    let (status, mut body) = handler(&request);
    let length = body.len();
    if request.start_line.starts_with("HEAD ") {
        body.clear();
    }
    recorded.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    let head = format!("HTTP/1.1 {status} OK\r\nContent-Type: text/plain\r\nConnection: close");
    let _ = write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{body}");
}
