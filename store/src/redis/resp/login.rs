//! The first commands on a connection.

use super::{
    connection::{Connection, in_reply_to},
    encode::CommandBuf,
};
use crate::redis::error::CommandError;

/// The commands that name a connection. Servers before 7.2 do not know the last two.
const NAMING: [&[&str]; 3] = [
    &["CLIENT", "SETNAME", "rl-server"],
    &["CLIENT", "SETINFO", "LIB-NAME", "rl-store"],
    &["CLIENT", "SETINFO", "LIB-VER", env!("CARGO_PKG_VERSION")],
];

impl Connection {
    /// Logs in, selects the database, and names the connection, for those who list a server's
    /// clients. A server that refuses the name does no harm. All in one round trip.
    pub(in crate::redis) async fn log_in(
        &self,
        user: Option<&str>,
        password: Option<&str>,
        db: i64,
    ) -> Result<(), CommandError> {
        let db = (db != 0).then(|| db.to_string());
        let auth = password.map(|it| [Some("AUTH"), user, Some(it)].into_iter().flatten());
        let required = [
            auth.map(|args| ("AUTH", self.send(&CommandBuf::of(args)))),
            db.map(|db| ("SELECT", self.send(&CommandBuf::of(["SELECT", &db])))),
        ];
        let naming = NAMING.map(|args| self.send(&CommandBuf::of(args.iter().copied())));
        for (name, reply) in required.into_iter().flatten() {
            reply.await.map_err(|error| in_reply_to(name, error))?;
        }
        for reply in naming {
            if let Err(error @ CommandError::Broken(_)) = reply.await {
                return Err(in_reply_to("CLIENT", error));
            }
        }
        Ok(())
    }
}
