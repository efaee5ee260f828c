//! Schemas of numbers: the grammar and the bounds of `rl-bucket`.

use serde_json::json;
use utoipa::openapi::{
    OneOfBuilder, RefOr, Schema,
    schema::{ObjectBuilder, Type},
};

/// A number, as text.
const NUMBER: &str = r"^[0-9]{1,10}(\.[0-9]+)?([eE][+-]?[0-9]+)?$";
/// A rate, as text: a number, alone or over a period.
const RATE: &str = r"^[0-9]{1,10}(\.[0-9]+)?([eE][+-]?[0-9]+)?(/[0-9]{0,10}[smhd])?$";

/// The cost, as a number or text.
pub(super) fn cost() -> RefOr<Schema> {
    const DESCRIPTION: &str = "The number of tokens: 0 to 1000000000; 1 if absent.";
    number_or_text(number().minimum(Some(0)), NUMBER, DESCRIPTION)
        .examples([json!(1), json!("2.5")])
        .into()
}

/// The capacity, as a number or text.
pub(super) fn capacity() -> RefOr<Schema> {
    const DESCRIPTION: &str = "Of an inline limit, together with `rate`: the most tokens the \
                               bucket holds, above 0 and at most 1000000000.";
    // The smallest double above 0: generators do not know exclusive bounds.
    number_or_text(number().minimum(Some(5e-324)), NUMBER, DESCRIPTION)
        .examples([json!(100), json!("0.5")])
        .into()
}

/// The rate, as a number or text.
pub(super) fn rate() -> RefOr<Schema> {
    const DESCRIPTION: &str = "Of an inline limit, together with `capacity`: the tokens the bucket \
                               gains. A number is tokens a second; text may name a period of \
                               seconds, minutes, hours or days, such as `10/s`, `100/m`, `1/30d`. \
                               From 0.000000001 to 1000000000 a second.";
    number_or_text(number().minimum(Some(1e-9)), RATE, DESCRIPTION)
        .examples([json!("100/m"), json!("1/30d"), json!(0.5)])
        .into()
}

fn number() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Number).maximum(Some(1_000_000_000))
}

fn number_or_text(number: ObjectBuilder, pattern: &str, description: &str) -> OneOfBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    let null = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new().item(number).item(text).item(null).description(Some(description))
}
