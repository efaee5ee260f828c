//! The front or the Redis that a tool addresses.

mod args;
mod front;
mod problem;
mod redis;
mod request;
mod token;
mod unix_transport;

pub(crate) use self::{
    args::{Target, TargetArgs},
    front::{FrontClient, INVALID_REPLY},
    problem::describe_response,
    redis::{RedisClient, RedisTarget},
    request::CheckBody,
};
