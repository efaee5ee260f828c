//! Callers that cost memory and send little.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rl_tests::{Front, RedisServer, Setup, eventually, skip};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use socket2::{Domain, SockRef, Socket, Type};

/// Time that a busy machine may take for a check that nothing holds up.
const AT_ONCE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

fn front() -> (RedisServer, Front) {
    let server = Setup::with_module().start();
    let url = server.url();
    let front = Front::start(&["--store", &url, "--workers", "2", "--deadline-ms", "10000"]);
    (server, front)
}

#[track_caller]
fn still_answers(front: &Front) {
    for _ in 0..20 {
        let start = Instant::now();
        let answer = front.check(r#"{"key":"k","capacity":1000,"rate":"1/d"}"#);
        assert_eq!((&answer["allowed"], &answer["degraded"]), (&json!(true), &json!(null)));
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    }
}

/// A connection from the address `from`. One address has too few ports for ten thousand callers.
pub(super) fn connect(from: Ipv4Addr, front: &Front) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket.bind(&SocketAddrV4::new(from, 0).into()).expect("an address of 127.0.0.0/8");
    let address: SocketAddr = front.address().parse().expect("an address");
    socket.connect(&address.into()).expect("a connection to the front");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    // Closed by reset: ten thousand sockets in TIME_WAIT would be a burden to other tests.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("to set linger");
    stream
}

/// Open files that a test with thousands of callers needs, in this process and in its front.
pub(super) const FILES: u64 = 18_000;

/// Raises the limit of open files to [`FILES`], for this process and those that it starts. Returns
/// whether that is permitted.
pub(super) fn may_open_files() -> bool {
    let (limit, wanted) = (getrlimit(Resource::Nofile), Some(FILES));
    if limit.maximum.is_some() && limit.maximum < wanted {
        return false;
    }
    if limit.current.is_some() && limit.current < wanted {
        setrlimit(Resource::Nofile, Rlimit { current: wanted, ..limit })
            .expect("to open more files");
    }
    true
}

#[test]
fn ten_thousand_idle_callers() {
    const CALLERS: usize = 10_000;
    const THREADS: usize = 8;
    if !may_open_files() {
        skip!("no process here may open {FILES} files, see ulimit -Hn");
    }
    let (_server, front) = front();
    let before = front.resident();
    let idle: Vec<TcpStream> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|at| {
                let (front, from) = (&front, Ipv4Addr::new(127, 1, 0, 1 + at as u8));
                scope.spawn(move || {
                    let callers = (0..CALLERS / THREADS).map(|_| connect(from, front));
                    // After its first request a caller may be idle until the keep-alive ends.
                    let served = callers.map(|mut caller| {
                        let request = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
                        caller.write_all(request).expect("to send");
                        let mut answer = [0; 12];
                        caller.read_exact(&mut answer).expect("an answer");
                        assert_eq!(&answer, b"HTTP/1.1 200");
                        caller
                    });
                    served.collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|it| it.join().expect("idle callers")).collect()
    });
    assert_eq!(idle.len(), CALLERS);
    still_answers(&front);
    let each = (front.resident() - before) * 1024 / CALLERS as u64;
    assert!(each < 64, "{each} KiB per idle caller");
    // And the idle callers are still served.
    for mut caller in idle.iter().step_by(1000) {
        caller.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").expect("to send");
        let mut answer = [0; 1];
        caller.read_exact(&mut answer).expect("an answer");
    }
}

#[test]
fn callers_who_do_not_read() {
    const CALLERS: usize = 10;
    let (_server, front) = front();
    let before = front.resident();
    let body = r#"{"key":"slow","capacity":10,"rate":"1/d"}"#;
    let request =
        format!("POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let requests = request.repeat(500);
    let slow: Vec<_> = (0..CALLERS)
        .map(|_| {
            let mut caller = connect(Ipv4Addr::LOCALHOST, &front);
            // Until the connection takes no more: the front has stopped reading.
            caller.set_write_timeout(Some(Duration::from_millis(200))).expect("a time limit");
            let mut sent = 0;
            let full = loop {
                match caller.write(requests.as_bytes()) {
                    Ok(len) => sent += len,
                    Err(error) => break error,
                }
                assert!(sent < 64 << 20, "the front reads on although its answers are not read");
            };
            assert!(matches!(full.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{full}");
            caller
        })
        .collect();
    still_answers(&front);
    let more = front.resident().saturating_sub(before);
    // Bounded by the buffers of a connection, not by what was sent.
    assert!(more < 20 * CALLERS as u64, "{more} MiB for {CALLERS} callers that do not read");
    // And the front does not hold it for long.
    let mut held = slow;
    eventually("callers that do not read are cut off", PATIENCE, || {
        held.retain(|caller| caller.take_error().expect("its state").is_none());
        held.is_empty()
    });
    still_answers(&front);
}
