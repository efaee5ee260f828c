//! The window in which admissions exceed refill the most.

/// An allowed check: its cost, taken at some moment between `start` and `end`, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) cost: f64,
}

/// A window of time, the tokens that were certainly admitted in it, and their excess over refill.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) admitted: f64,
    pub(super) excess: f64,
}

/// The window with the largest excess; `None` if nothing was admitted.
///
/// An admission counts if it starts and ends inside the window, so the worst window runs from one
/// admission's start to another's end. The scan goes over the starts from last to first, while a
/// tree over the sorted ends holds the admissions that have started: O(n log n) for n² windows.
pub(super) fn worst(admissions: &[Admission], rate: f64) -> Option<Window> {
    let mut ends: Vec<usize> = (0..admissions.len()).collect();
    ends.sort_by(|a, b| admissions[*a].end.total_cmp(&admissions[*b].end));
    let mut ranks = vec![0; ends.len()];
    for (rank, admission) in ends.iter().enumerate() {
        ranks[*admission] = rank;
    }
    let mut starts = ends;
    starts.sort_by(|a, b| admissions[*b].start.total_cmp(&admissions[*a].start));

    let mut tree = Tree::new(admissions.len());
    let windows = starts.into_iter().map(|it| {
        let Admission { start, end, cost } = admissions[it];
        let root = tree.set(ranks[it], Node { sum: cost, best: cost - rate * end, to: end });
        let excess = root.best + rate * start;
        Window { from: start, to: root.to, admitted: excess + rate * (root.to - start), excess }
    });
    windows.max_by(|a, b| a.excess.total_cmp(&b.excess))
}

/// A binary tree over the sorted ends, as an array: the children of `i` are `2i` and `2i + 1`.
struct Tree(Vec<Node>);

#[derive(Clone, Copy)]
struct Node {
    /// The total cost in this subtree.
    sum: f64,
    /// The maximum, over the ends in this subtree, of the cost up to that end less the refill until
    /// then.
    best: f64,
    /// The end at which `best` is reached.
    to: f64,
}

// === impl Tree ===

impl Tree {
    fn new(leaves: usize) -> Self {
        let empty = Node { sum: 0.0, best: f64::NEG_INFINITY, to: 0.0 };
        Self(vec![empty; 2 * leaves.next_power_of_two()])
    }

    /// Sets the leaf with this rank and returns the new root.
    fn set(&mut self, rank: usize, leaf: Node) -> Node {
        let mut at = self.0.len() / 2 + rank;
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
    use super::{Admission, worst};

    /// The largest excess, by brute force.
    fn worst_excess(admissions: &[Admission], rate: f64) -> f64 {
        let excess = |from: f64, to: f64| {
            let inside = admissions.iter().filter(|it| it.start >= from && it.end <= to);
            inside.map(|it| it.cost).sum::<f64>() - rate * (to - from)
        };
        let windows = admissions.iter().flat_map(|a| admissions.iter().map(|b| (a.start, b.end)));
        let windows = windows.filter(|(from, to)| from <= to);
        windows.map(|(from, to)| excess(from, to)).fold(0.0, f64::max)
    }

    #[test]
    fn the_worst_window_is_found() {
        let mut rng = fastrand::Rng::with_seed(1);
        for count in 1..120 {
            let admissions: Vec<_> = std::iter::repeat_with(|| {
                let start = rng.f64() * 10.0;
                let end = start + rng.f64() * rng.f64();
                Admission { start, end, cost: rng.u64(1..5) as f64 }
            })
            .take(count)
            .collect();
            for rate in [0.0, 0.5, 5.0, 20.0, 200.0] {
                let (found, expected) = (worst(&admissions, rate), worst_excess(&admissions, rate));
                let found = found.map_or(0.0, |window| window.excess.max(0.0));
                assert!((found - expected).abs() < 1e-6, "{found} not {expected}: {admissions:?}");
            }
        }
        assert!(worst(&[], 1.0).is_none());
    }
}
