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
    /// Logs in and names the connection, for those who list a server's clients. A server that
    /// refuses the name does no harm. All in one round trip.
    pub(in crate::redis) async fn log_in(
        &self,
        user: Option<&str>,
        password: Option<&str>,
    ) -> Result<(), CommandError> {
        let auth = password.map(|it| [Some("AUTH"), user, Some(it)].into_iter().flatten());
        let auth = auth.map(|args| self.send(&CommandBuf::of(args)));
        let naming = NAMING.map(|args| self.send(&CommandBuf::of(args.iter().copied())));
        if let Some(reply) = auth {
            reply.await.map_err(|error| in_reply_to("AUTH", error))?;
        }
        for reply in naming {
            if let Err(error @ CommandError::Broken(_)) = reply.await {
                return Err(in_reply_to("CLIENT", error));
            }
        }
        Ok(())
    }

    /// Selects a database; a new connection has 0.
    pub(in crate::redis) async fn select(&self, db: i64) -> Result<(), CommandError> {
        if db != 0 {
            self.command(["SELECT", &db.to_string()]).await?;
        }
        Ok(())
    }
}
