use actix_codec::Decoder;
use actix_http::{
    ServiceConfig,
    h1::{Codec, Message, MessageType},
};
use actix_web::web::BytesMut;

use super::{Framing, LastHead};

/// The ends of the requests in what a caller sends, as they are found when it arrives in `pieces`.
#[derive(Debug, PartialEq)]
struct Requests {
    ends: Vec<usize>,
    /// What the decoder gets.
    released: Vec<u8>,
    last: Framing,
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Requests {
    let (mut framing, mut held) = (Framing::Head, Vec::new());
    let mut last_head = LastHead::default();
    let (mut ends, mut released) = (Vec::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            let len = framing.advance(&mut held, &mut last_head);
            released.extend(held.drain(..len));
            if framing == Framing::Whole {
                ends.push(released.len());
                framing = Framing::Head; // it was answered
            } else if len == 0 {
                break;
            }
        }
    }
    Requests { ends, released, last: framing }
}

/// The ends of the requests that actix-http decodes, and whether it refuses what follows them.
fn decode(config: &ServiceConfig, sent: &[u8]) -> (Vec<usize>, bool) {
    let (mut codec, mut bytes) = (Codec::new(config.clone()), BytesMut::from(sent));
    let mut ends = Vec::new();
    loop {
        match codec.decode(&mut bytes) {
            Ok(Some(Message::Item(_))) if codec.message_type() != MessageType::None => {}
            Ok(Some(Message::Chunk(Some(_)))) => {}
            Ok(Some(_)) => ends.push(sent.len() - bytes.len()),
            Ok(None) => return (ends, false),
            Err(_) => return (ends, true),
        }
    }
}

/// Requests and parts of requests, of which some are invalid.
const PARTS: [&str; 40] = [
    "GET /check?key=k HTTP/1.1\r\nHost: x\r\n",
    "POST /check HTTP/1.1\r\nHost: x\r\n",
    "HEAD / HTTP/1.1\nHost:x\n",
    "POST /a HTTP/1.0\r\n",
    "GET /b HTTP/1.1\r\n",
    "\r\nGET /c HTTP/1.1\r\nHost: x\r\n",
    "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n",
    "Content-Length: 5\r\n",
    "content-length:\t5 \r\n",
    "CONTENT-LENGTH: 0\n",
    "Content-Length: +5\r\n",
    "Content-Length: 5, 5\r\n",
    "Content-Length:\r\n",
    "Content-Length : 5\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "transfer-encoding:CHUNKED\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n",
    "connection: keep-alive,upgrade\r\nUPGRADE: websocket\r\n",
    "Connection: close\r\n",
    " folded: 1\r\n",
    "X-Content-Length: 7\r\nTransfer: chunked\r\n",
    "Upgrade-Insecure-Requests: 1\r\n",
    ": 1\r\n",
    "X: \r\n",
    "\r\n",
    "\n",
    "\r",
    "abcde",
    "upgrade: h2c\r\n\r\n",
    "5\r\nabcde\r\n",
    "A;x=\"y\"\r\n0123456789\r\n",
    "05 \r\nab\r\ne\r\n",
    "0\r\n\r\n",
    "0\r\nX: 1\r\nUpgrade: h2c\r\n\r\n",
    "0\r\nX:\n1\r\n\r\n",
    "z\r\n",
];

/// Parts that make a valid request of any length, in this order.
const VALID: [&[&str]; 6] = [
    &["GET /check?key=k HTTP/1.1\r\nHost: x\r\n", "\r\n"],
    &["POST /check HTTP/1.1\r\nHost: x\r\n", "Content-Length: 5\r\n", "\r\n", "abcde"],
    &["POST / HTTP/1.1\nHost:x\n", "cONNECTION: Upgrade\nUpgrade: h2c\n", "\n"],
    &[
        "POST / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nContent-Length: 14\r\n\r\nUpgrade: h2c\r\n",
    ],
    &[
        "\r\nPOST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "5\r\nabcde\r\nA;x=\"y\"\r\n012\r\n\r\n789\r\n",
        "0\r\nUpgrade: h2c\r\n\r\n",
    ],
    &["PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n", "0\r\nX:\n1\r\n\r\n"],
];

/// A sequence that differs from call to call, and not from run to run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

fn generate(random: &mut Random) -> Vec<u8> {
    let mut sent = Vec::new();
    for _ in 0..=random.below(4) {
        for part in VALID[random.below(VALID.len())] {
            sent.extend_from_slice(part.as_bytes());
            if random.below(30) == 0 {
                sent.extend_from_slice(PARTS[random.below(PARTS.len())].as_bytes());
            }
        }
    }
    if random.below(3) == 0 {
        for _ in 0..random.below(8) {
            sent.extend_from_slice(PARTS[random.below(PARTS.len())].as_bytes());
        }
    }
    if random.below(4) == 0 {
        let at = random.below(sent.len());
        sent[at] = b"\r\n :0a+\x00\xff"[random.below(9)];
    }
    sent
}

#[actix_web::test]
async fn requests_end_where_the_decoder_ends_them() {
    let config = ServiceConfig::default();
    let mut random = Random(1);
    let mut refused = 0;
    for _ in 0..20_000 {
        let sent = generate(&mut random);
        let text = String::from_utf8_lossy(&sent);
        let whole = read([&sent[..]]);
        // The decoder decodes what it is given, not what was sent: the offers are hidden in it.
        let (ends, is_refused) = decode(&config, &whole.released);
        assert!(whole.ends.starts_with(&ends), "{text:?}: {whole:?}, actix-http: {ends:?}");
        assert!(is_refused || whole.ends.len() == ends.len(), "{text:?}: {whole:?} {ends:?}");
        if whole.last == Framing::Refused && !text.contains("CONNECT") {
            assert!(is_refused, "{text:?}: {whole:?}");
        }
        refused += usize::from(is_refused);
    }
    assert!((2_000..18_000).contains(&refused), "{refused}");
}

#[actix_web::test]
async fn requests_end_there_however_they_are_split() {
    let config = ServiceConfig::default();
    let mut random = Random(2);
    for _ in 0..1_000 {
        let sent = generate(&mut random);
        let whole = read([&sent[..]]);
        if decode(&config, &whole.released).1 {
            continue;
        }
        for at in 0..sent.len() {
            let (start, end) = sent.split_at(at);
            assert_eq!(read([start, end]), whole, "{:?} at {at}", String::from_utf8_lossy(&sent));
        }
        assert_eq!(read(sent.chunks(1)), whole);
    }
}

#[test]
fn offers_are_hidden_in_heads_and_nothing_else_changes() {
    let offer = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let bodies = [
        "Content-Length: 25\r\n\r\n\r\nUpgrade: h2c\r\n\r\nUpgrade",
        "Transfer-Encoding: chunked\r\n\r\n7\r\nUpgrade\r\n0\r\nUpgrade: h2c\r\n\r\n",
        "\r\n",
    ];
    for (first, second) in bodies.iter().flat_map(|it| bodies.map(|other| (it, other))) {
        let sent = [*first, second]
            .map(|body| format!("POST /upgrade HTTP/1.1\r\nHost: upgrade\r\n{offer}{body}"))
            .concat();
        let hidden = offer.replace("Upgrade", "x-offer");
        let expected = sent.replace(offer, &hidden);
        for at in 0..sent.len() {
            let (start, end) = sent.as_bytes().split_at(at);
            let read = read([start, end]);
            assert_eq!(String::from_utf8_lossy(&read.released), expected);
            assert_eq!((read.ends.len(), read.last), (2, Framing::Head));
        }
    }
}

#[actix_web::test]
async fn nothing_follows_a_head_that_is_refused() {
    let config = ServiceConfig::default();
    let next = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
    for odd in [
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 5;\r\n",
        "Transfer-Encoding: xchunked\r\n",
    ] {
        let head = format!("POST /check HTTP/1.1\r\nHost: x\r\n{odd}\r\n");
        let read = read([head.as_bytes(), next.as_bytes()]);
        assert_eq!((read.released.len(), read.last), (head.len(), Framing::Refused), "{odd}");
        assert!(decode(&config, head.as_bytes()).1, "{odd}");
    }
    // What cannot become a head is refused at once, and so is one without end.
    for start in ["\x16\x03\x01", "GET / HTTP/1.1\r\n : x", &"x".repeat(128 << 10)] {
        let read = read([start.as_bytes(), next.as_bytes()]);
        assert_eq!((read.released.len(), read.last), (start.len(), Framing::Refused));
    }
}
