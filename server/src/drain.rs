//! Ends a front: requests in flight are finished, new ones are still answered for a moment.

use std::{io, time::Duration};

use actix_web::{dev::Server, rt};
use tokio::{pin, select, time::sleep};

use crate::status::Status;

/// The time for which new requests are still answered, with readiness at 503 and each response
/// closing its connection, so that no caller is cut off before it could know.
const NOTICE: Duration = Duration::from_millis(500);
/// The time after that in which requests in flight must finish, in seconds. Together they are less
/// than the 8 s promised.
pub(crate) const SHUTDOWN_SECONDS: u64 = 7;

/// Serves until `shutdown` resolves, then drains: within 8 seconds.
pub(crate) async fn until(
    shutdown: impl Future<Output = ()>,
    main: Server,
    admin: Option<Server>,
    status: &Status,
) -> io::Result<()> {
    let handles = (main.handle(), admin.as_ref().map(Server::handle));
    // Spawned, so that it is polled whatever this task waits for.
    let mut admin = admin.map(rt::spawn);
    pin!(main);
    select! {
        ended = &mut main => return ended,
        () = shutdown => status.drain(),
    }
    select! {
        ended = &mut main => return ended,
        () = sleep(NOTICE) => {}
    }
    let (ended, ()) = tokio::join!(main, handles.0.stop(true));
    // Last, so that a final scrape sees everything.
    if let (Some(handle), Some(admin)) = (handles.1, &mut admin) {
        handle.stop(false).await;
        let _ = admin.await;
    }
    ended
}
