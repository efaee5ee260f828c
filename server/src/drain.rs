//! Shuts a front down: finishes the requests in flight, and answers new ones for a moment.

use std::{io, time::Duration};

use actix_web::{dev::Server, rt};
use tokio::{pin, select, time::sleep};

use crate::{status::Status, unix_socket::SocketFile};

/// The time for which new requests are still answered. Readiness is 503 and each response closes
/// its connection, so callers notice before they are cut off.
const NOTICE: Duration = Duration::from_millis(500);
/// The time after that in which requests in flight must finish, in seconds. Both together are less
/// than the promised 8 s.
pub(crate) const SHUTDOWN_SECONDS: u64 = 7;

/// Serves until `shutdown` resolves, then drains: within 8 seconds. The file of a Unix socket is
/// removed just before the socket is closed.
pub(crate) async fn until(
    shutdown: impl Future<Output = ()>,
    (main, file): (Server, Option<SocketFile>),
    admin: Option<(Server, Option<SocketFile>)>,
    status: &Status,
) -> io::Result<()> {
    let handle = main.handle();
    // Spawned, so that it runs while this task waits for something else.
    let admin = admin.map(|(admin, file)| (admin.handle(), rt::spawn(admin), file));
    pin!(main);
    select! {
        result = &mut main => return result,
        () = shutdown => status.drain(),
    }
    select! {
        result = &mut main => return result,
        () = sleep(NOTICE) => {}
    }
    drop(file);
    let (result, ()) = tokio::join!(main, handle.stop(true));
    // Stopped last, so that a final scrape counts every request.
    if let Some((handle, admin, file)) = admin {
        drop(file);
        handle.stop(false).await;
        let _ = admin.await;
    }
    result
}
