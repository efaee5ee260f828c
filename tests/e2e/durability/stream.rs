//! The replication stream.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rl_tests::RedisServer;

/// The replication stream of a server, read as a replica reads it.
pub(super) struct Stream {
    socket: BufReader<TcpStream>,
}

impl Stream {
    /// Follows the server from now on.
    pub(super) fn of(server: &RedisServer) -> Self {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
        socket.write_all(b"SYNC\r\n").expect("to send");
        let mut socket = BufReader::new(socket);
        // Line feeds during the snapshot, then the snapshot with its length, then the stream.
        let mut line = String::new();
        while !line.starts_with('$') {
            line.clear();
            socket.read_line(&mut line).expect("a snapshot");
        }
        let length: usize = line[1..].trim_end().parse().expect("a length");
        socket.read_exact(&mut vec![0; length]).expect("the snapshot");
        Self { socket }
    }

    /// Every command up to now, without `PING` and `SELECT`.
    pub(super) fn until_mark(&mut self, server: &RedisServer) -> Vec<Vec<String>> {
        server.run::<()>("SET mark x");
        let mut commands = Vec::new();
        loop {
            let words = self.command();
            if words == ["SET", "mark", "x"] {
                return commands;
            }
            if !["PING", "SELECT"].contains(&words[0].to_uppercase().as_str()) {
                commands.push(words);
            }
        }
    }

    fn command(&mut self) -> Vec<String> {
        let count = self.number('*');
        (0..count).map(|_| self.word()).collect()
    }

    fn word(&mut self) -> String {
        let mut bytes = vec![0; self.number('$') + 2];
        self.socket.read_exact(&mut bytes).expect("a word");
        bytes.truncate(bytes.len() - 2);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn number(&mut self, kind: char) -> usize {
        let mut line = String::new();
        self.socket.read_line(&mut line).expect("the stream");
        let digits = line.strip_prefix(kind).expect("a length in RESP");
        digits.trim_end().parse().expect("a number")
    }
}
