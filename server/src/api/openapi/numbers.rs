//! Schemas of the one number grammar, and what the bucket crate bounds it by.

use serde_json::json;
use utoipa::openapi::{
    OneOfBuilder, RefOr, Schema,
    schema::{ObjectBuilder, Type},
};

/// 0 to 1000000000, as text.
const QUANTITY: &str = r"^(0?[0-9]{1,9}(\.[0-9]{1,9})?|1000000000(\.0{1,9})?)$";
/// A number alone or over a period.
const SPEED: &str = r"^[0-9]{1,10}(\.[0-9]{1,9})?(/[0-9]{0,10}[smhd])?$";

/// Tokens to take, in JSON.
pub(in crate::api) fn amount() -> RefOr<Schema> {
    either(number().minimum(Some(0)), QUANTITY, "How many tokens, 0 to 1000000000; 1 if absent.")
        .default(Some(json!(1)))
        .examples([json!(1), json!("2.5")])
        .into()
}

/// Tokens that a bucket holds, in JSON.
pub(in crate::api) fn capacity() -> RefOr<Schema> {
    const WHAT: &str = "How many tokens the bucket holds: above 0, at most 1000000000.";
    either(number().exclusive_minimum(Some(0)), QUANTITY, WHAT)
        .examples([json!(100), json!("0.5")])
        .into()
}

/// A refill rate, in JSON.
pub(in crate::api) fn rate() -> RefOr<Schema> {
    const WHAT: &str = "How many tokens the bucket gains: a number of them a second, or a text over a period of seconds, \
                        minutes, hours or days such as `10/s`, `100/m`, `5/10s`. From 0.000001 to 1000000000 a second.";
    either(number().minimum(Some(1e-6)), SPEED, WHAT)
        .examples([json!("100/m"), json!("5/10s"), json!(0.5)])
        .into()
}

fn number() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Number).maximum(Some(1_000_000_000))
}

fn either(number: ObjectBuilder, pattern: &str, description: &str) -> OneOfBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    OneOfBuilder::new().item(number).item(text).description(Some(description))
}
