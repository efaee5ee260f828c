//! Names that a caller may have meant.

const MAX_NAMES: usize = 8;
/// The most names that answer a request.
const MAX_NEAR: usize = 3;
/// The most letters in the part of a name that differs. With it the work for a name is bounded,
/// whatever a caller sends.
const MAX_DIFFERENT: usize = 4;

/// The reason with the names that there are: all of them, or of many the eight that are nearest.
pub(super) fn missing<'n>(
    reason: &str,
    name: &str,
    names: impl Iterator<Item = &'n str>,
) -> String {
    let mut names: Vec<_> = names.collect();
    if names.is_empty() {
        return reason.to_owned();
    }
    let lead = if names.len() > MAX_NAMES { "the nearest are" } else { "there are" };
    if names.len() > MAX_NAMES {
        names.sort_by_key(|other| distance(name, other));
        names.truncate(MAX_NAMES);
    }
    format!("{reason}; {lead} {}", names.join(", "))
}

/// The names from which a typing mistake or two lead to `name`, at most three, nearest first.
pub(crate) fn near<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let mut near: Vec<_> =
        names.filter_map(|other| Some((mistakes(name, other)?, other))).collect();
    near.sort_unstable();
    near.truncate(MAX_NEAR);
    near.into_iter().map(|(_, other)| other).collect()
}

/// The distance of names that differ little, in one place: `None` if they are not near.
fn mistakes(name: &str, other: &str) -> Option<usize> {
    let (name, other) = (name.as_bytes(), other.as_bytes());
    let shorter = name.len().min(other.len());
    if name.len().abs_diff(other.len()) > 2 {
        return None;
    }
    let start = name.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (a, b) = (&name[start..], &other[start..]);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    if a.len().max(b.len()) > MAX_DIFFERENT {
        return None;
    }
    let distance = distance_of_bytes(a, b);
    (distance <= 2 && 2 * distance <= shorter).then_some(distance)
}

/// The number of letters to insert, remove or change (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    distance_of_bytes(from.as_bytes(), to.as_bytes())
}

fn distance_of_bytes(from: &[u8], to: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn names_that_a_mistake_or_two_lead_to_are_near() {
        let names = ["api", "log-in", "login", "login2", "search", "per-ip", "x"];
        for (name, expected) in [
            ("logn", &["login", "log-in", "login2"][..]),
            ("lgoin", &["log-in", "login"]),
            ("login", &["login", "log-in", "login2"]),
            ("serach", &["search"]),
            ("searches", &["search"]),
            ("per_ip", &["per-ip"]),
            ("ap", &["api"]),
            ("default", &[]),
            ("y", &[]),
            ("", &[]),
            ("hcraes", &[]),
            ("é", &[]),
        ] {
            assert_eq!(near(name, names.into_iter()), expected, "{name}");
        }
    }

    #[test]
    fn the_length_of_a_name_does_not_multiply() {
        // Equal but for both ends: 10^12 steps if all letters were compared with all.
        let long = |ends: &str| format!("{ends}{}{ends}", "a".repeat(1_000_000));
        let (name, other) = (long("b"), long("c"));
        assert_eq!(near(&name, [&*other].into_iter()), [""; 0]);
    }
}
