//! Times in microseconds: counted, and as text.

/// Counts the times in each bin of `length`. Times at or after `length` (rounded up to whole bins)
/// are left out.
pub(super) fn count_by_bin(times: &[u64], length: u64, bin: u64) -> Vec<u64> {
    let mut counts = vec![0; usize::try_from(length.div_ceil(bin)).unwrap_or(0)];
    for time in times {
        let index = usize::try_from(time / bin).unwrap_or(usize::MAX);
        if let Some(count) = counts.get_mut(index) {
            *count += 1;
        }
    }
    counts
}

/// The most of the times (ascending) within any interval shorter than `window`.
pub(super) fn most_within(times: &[u64], window: u64) -> usize {
    let (mut first, mut most) = (0, 0);
    for (last, time) in times.iter().enumerate() {
        while times[first] + window <= *time {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

/// Formats a time, to the millisecond or to three digits.
pub(super) fn format_time(micros: u64) -> String {
    match micros {
        0 => "0".to_owned(),
        1..1_000_000 => format!("{} ms", micros.div_ceil(1000)),
        1_000_000..600_000_000 => {
            let text = format!("{:.2}", micros as f64 / 1e6);
            format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
        }
        600_000_000..36_000_000_000 => format!("{} min", micros / 60_000_000),
        _ => format!("{} h", micros / 3_600_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::{count_by_bin, format_time, most_within};

    #[test]
    fn times_are_counted_by_bin_and_by_window() {
        assert_eq!(count_by_bin(&[0, 9, 10, 25, 40], 30, 10), [2, 1, 1]);
        assert_eq!(most_within(&[], 10), 0);
        assert_eq!(most_within(&[0, 1, 9, 10, 10, 11, 30], 10), 4);
    }

    #[test]
    fn times_have_one_unit() {
        for (micros, text) in [
            (0, "0"),
            (1, "1 ms"),
            (250_000, "250 ms"),
            (1_000_000, "1 s"),
            (12_340_000, "12.34 s"),
            (90_000_000, "90 s"),
            (3_600_000_000, "60 min"),
            (86_400_000_000, "24 h"),
        ] {
            assert_eq!(format_time(micros), text);
        }
    }
}
