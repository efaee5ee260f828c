//! The reference for the front: the least work that actix-web can do with the same JSON.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct CheckBody {
    key: String,
}

#[derive(Serialize)]
struct CheckReply {
    allowed: bool,
    limit: u64,
    remaining: i64,
    retry_after_ms: Option<u64>,
    reset_after_ms: u64,
}

async fn check(body: web::Json<CheckBody>) -> HttpResponse {
    HttpResponse::Ok().json(CheckReply {
        allowed: !body.key.is_empty(),
        limit: 1_000_000,
        remaining: 499_999,
        retry_after_ms: Some(0),
        reset_after_ms: 500_001,
    })
}

/// Serves on a free port with one worker, until the process is killed.
pub(crate) fn serve() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("bare handler on http://{} with one worker", listener.local_addr()?);
    let server = HttpServer::new(|| App::new().route("/check", web::post().to(check)));
    actix_web::rt::System::new().block_on(server.workers(1).listen(listener)?.run())
}
