//! Large requests in pieces, so that the requests of others go between.
//!
//! Redis carries out one command at a time, and a connection answers in order: whatever one request
//! has in flight, others wait for. Pieces are weighed by the time that their buckets take Redis.

use std::{ops::Range, time::Duration};

use crate::EngineKind;

/// The greatest weight of a piece, unless a single check weighs more.
pub(super) const PIECE: usize = 128;
/// Most pieces in flight for a node, of all large requests of a worker, over a fast network. One is
/// carried out while the next is on its way.
pub(super) const MAX_PIECES: usize = 2;
/// The time after which a piece is sent although as many are in flight: on their way, then, over a
/// slow network. It is well above the time that a piece takes Redis.
pub(super) const SPACING: Duration = Duration::from_millis(2);

/// The weight of a bucket. A script takes about as many times longer than the module.
pub(super) fn weight(engine: EngineKind) -> usize {
    match engine {
        EngineKind::Lua => 4,
        EngineKind::Module | EngineKind::Memory | EngineKind::Unknown => 1,
    }
}

/// The ranges of the pieces, each with its weight, of checks with these weights.
pub(super) fn pieces(weights: impl IntoIterator<Item = usize>) -> Vec<(Range<usize>, usize)> {
    let mut pieces: Vec<(Range<usize>, usize)> = Vec::new();
    for (index, weight) in weights.into_iter().enumerate() {
        match pieces.last_mut() {
            Some((range, sum)) if *sum + weight <= PIECE => {
                range.end += 1;
                *sum += weight;
            }
            _ => pieces.push((index..index + 1, weight)),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::{PIECE, pieces};

    #[test]
    fn pieces_are_bounded_by_their_weight() {
        assert!(pieces([]).is_empty());
        let ones = pieces([1; 300]);
        assert_eq!(ones, [(0..128, 128), (128..256, 128), (256..300, 44)]);
        assert_eq!(pieces([16; 9]), [(0..8, 128), (8..9, 16)]);
        assert_eq!(pieces([1, PIECE + 1, 1]), [(0..1, 1), (1..2, PIECE + 1), (2..3, 1)]);
    }
}
