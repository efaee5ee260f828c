//! Requests to a front, over HTTP/1.1: one in flight on each connection, as in most clients.
//!
//! By hand rather than with a library: a request is always the same bytes with other digits, and a
//! response is read in place, so nearly all of a request's time is the kernel's. `ureq`, which the
//! other subcommands use, blocks a thread for each connection; hyper would build and parse each
//! request and response.

mod connection;
mod decode;
mod load;
mod response;
mod sender;

pub(super) use self::{load::FrontLoad, sender::FrontSender};
