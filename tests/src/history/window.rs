//! In which stretch of time most was admitted beyond what refill gives.

/// Something that was admitted: its cost, at a moment between `start` and `end`, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) cost: f64,
}

/// A stretch of time, what was admitted in it for sure, and how much more that is than refill alone gives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) admitted: f64,
    pub(super) over: f64,
}

/// The worst window of all; `None` if nothing was admitted.
///
/// For sure means begun and ended in it. So the worst window begins with a start and ends with an end. The
/// starts are gone through from the last to the first, while a tree over the ends, in order, holds what
/// started since: O(n log n) for n² windows.
pub(super) fn worst(admitted: &[Admitted], rate: f64) -> Option<Window> {
    let mut ends: Vec<usize> = (0..admitted.len()).collect();
    ends.sort_by(|a, b| admitted[*a].end.total_cmp(&admitted[*b].end));
    let mut place = vec![0; ends.len()];
    for (at, of) in ends.iter().enumerate() {
        place[*of] = at;
    }
    let mut starts = ends;
    starts.sort_by(|a, b| admitted[*b].start.total_cmp(&admitted[*a].start));

    let mut tree = Tree::new(admitted.len());
    let windows = starts.into_iter().map(|it| {
        let Admitted { start, end, cost } = admitted[it];
        let node = tree.put(place[it], Node { sum: cost, best: cost - rate * end, to: end });
        let over = node.best + rate * start;
        Window { from: start, to: node.to, admitted: over + rate * (node.to - start), over }
    });
    windows.max_by(|a, b| a.over.total_cmp(&b.over))
}

/// A binary tree over places in order, as an array: the children of `i` are `2i` and `2i + 1`.
struct Tree(Vec<Node>);

#[derive(Clone, Copy)]
struct Node {
    /// The cost of all that is under here.
    sum: f64,
    /// The most that the cost up to some place under here is ahead of refill by the end that stands there.
    best: f64,
    /// That end.
    to: f64,
}

// === impl Tree ===

impl Tree {
    fn new(places: usize) -> Self {
        let nothing = Node { sum: 0.0, best: f64::NEG_INFINITY, to: 0.0 };
        Self(vec![nothing; 2 * places.next_power_of_two()])
    }

    /// Puts a leaf in its place; the root after that.
    fn put(&mut self, place: usize, leaf: Node) -> Node {
        let mut at = self.0.len() / 2 + place;
        self.0[at] = leaf;
        while at > 1 {
            at /= 2;
            let (left, right) = (self.0[2 * at], self.0[2 * at + 1]);
            let right = Node { best: left.sum + right.best, ..right };
            let better = if left.best >= right.best { left } else { right };
            self.0[at] = Node { sum: left.sum + right.sum, ..better };
        }
        self.0[1]
    }
}

#[cfg(test)]
mod tests {
    use super::{Admitted, worst};

    /// The same by trying every window.
    fn by_trying(admitted: &[Admitted], rate: f64) -> f64 {
        let over = |from: f64, to: f64| {
            let inside = admitted.iter().filter(|it| it.start >= from && it.end <= to);
            inside.map(|it| it.cost).sum::<f64>() - rate * (to - from)
        };
        let windows = admitted.iter().flat_map(|a| admitted.iter().map(|b| (a.start, b.end)));
        windows.filter(|(from, to)| from <= to).map(|(from, to)| over(from, to)).fold(0.0, f64::max)
    }

    #[test]
    fn the_worst_window_is_found() {
        let mut chance = fastrand::Rng::with_seed(1);
        for count in 1..120 {
            let admitted: Vec<_> = std::iter::repeat_with(|| {
                let start = chance.f64() * 10.0;
                let end = start + chance.f64() * chance.f64();
                Admitted { start, end, cost: chance.u64(1..5) as f64 }
            })
            .take(count)
            .collect();
            for rate in [0.0, 0.5, 5.0, 20.0, 200.0] {
                let (found, expected) = (worst(&admitted, rate), by_trying(&admitted, rate));
                let found = found.map_or(0.0, |window| window.over.max(0.0));
                assert!((found - expected).abs() < 1e-6, "{found} not {expected}: {admitted:?}");
            }
        }
        assert!(worst(&[], 1.0).is_none());
    }
}
