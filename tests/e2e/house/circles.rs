//! Circles in a graph of files.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

/// Each file, the files that it uses, and one name that it uses of each.
pub(super) type Uses<'a> = BTreeMap<&'a Path, BTreeMap<&'a Path, String>>;

/// A description of each set of files that use each other, directly or not: its shortest circle.
pub(super) fn circles(uses: &Uses<'_>) -> Vec<String> {
    let mut reported = BTreeSet::new();
    let mut circles = Vec::new();
    for &file in uses.keys() {
        if reported.contains(file) {
            continue;
        }
        let below = below(uses, file);
        let around = below.iter().filter(|it| self::below(uses, it).contains(file)).copied();
        let around: BTreeSet<&Path> = around.collect();
        let shortest = around.iter().filter_map(|from| circle(uses, from)).min_by_key(Vec::len);
        if let Some(shortest) = shortest {
            circles.push(in_words(uses, around.len(), &shortest));
        }
        reported.extend(around);
    }
    circles
}

/// The files that a file uses, directly or not.
fn below<'a>(uses: &Uses<'a>, file: &Path) -> BTreeSet<&'a Path> {
    let mut all = BTreeSet::new();
    let mut next: Vec<&Path> = uses[file].keys().copied().collect();
    while let Some(file) = next.pop() {
        if all.insert(file) {
            next.extend(uses[file].keys());
        }
    }
    all
}

/// The shortest way from a file back to itself.
fn circle<'a>(uses: &Uses<'a>, from: &'a Path) -> Option<Vec<&'a Path>> {
    let mut before: BTreeMap<&Path, &Path> = BTreeMap::new();
    let mut next = VecDeque::from([from]);
    while let Some(file) = next.pop_front() {
        for &used in uses[file].keys() {
            if used == from {
                let mut round = vec![file];
                while let Some(file) = before.get(round[round.len() - 1]) {
                    round.push(file);
                }
                round.reverse();
                return Some(round);
            }
            if let Entry::Vacant(entry) = before.entry(used) {
                entry.insert(file);
                next.push_back(used);
            }
        }
    }
    None
}

fn in_words(uses: &Uses<'_>, count: usize, circle: &[&Path]) -> String {
    let mut text = format!("{count} files use each other in a circle; the shortest way round:\n");
    for (at, file) in circle.iter().enumerate() {
        let used = circle[(at + 1) % circle.len()];
        let (file, name) = (file.display(), &uses[file][used]);
        text += &format!("  {file} uses `{name}` of {}\n", used.display());
    }
    text + "  Move what two of them share into a file that uses neither."
}

#[test]
fn a_circle_is_reported_by_its_shortest_way_round() {
    let [a, b, c, d] = ["a.rs", "b.rs", "c.rs", "d.rs"].map(Path::new);
    let uses = Uses::from([
        (a, BTreeMap::from([(b, "B".to_owned())])),
        (b, BTreeMap::from([(c, "C".to_owned()), (d, "D".to_owned())])),
        (c, BTreeMap::from([(a, "A".to_owned()), (b, "b".to_owned())])),
        (d, BTreeMap::new()),
    ]);
    let [text] = &circles(&uses)[..] else { panic!("one circle") };
    assert!(text.starts_with("3 files use each other"), "{text}");
    assert!(text.contains("b.rs uses `C` of c.rs\n  c.rs uses `b` of b.rs\n"), "{text}");
}
