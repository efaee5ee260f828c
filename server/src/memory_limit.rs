//! The memory that buckets in this process may take: as given, or by the size of the container.

use std::{fs, path::Path};

/// The least limit: a smaller one leaves no room for the longest keys.
const MIN: u64 = 1_000_000;
/// The share of the container's or the machine's memory that is the default.
const SHARE: u64 = 4;
/// The memory of a machine that does not say.
const UNKNOWN: u64 = 1 << 30;

const UNITS: [(&str, u64); 7] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("K", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("", 1),
];

/// Reads a number of bytes, with the units of Kubernetes: `64M` is 64,000,000 and `64Mi` 67,108,864.
pub fn parse(text: &str) -> Result<usize, &'static str> {
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)));
    let bytes = unit.and_then(|(number, bytes)| {
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        number.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(*bytes)
    });
    bytes
        .filter(|bytes| *bytes >= MIN)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or("the memory limit must be a number of bytes, K, M, G, Ki, Mi or Gi, at least 1M")
}

/// A quarter of the memory that this process may use: that of its container, or of the machine.
pub fn of_this_process() -> usize {
    let bytes = (memory(Path::new("/")) / SHARE).max(MIN);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The memory that a process under `root` may use, in bytes.
fn memory(root: &Path) -> u64 {
    [container(root), machine(root)].into_iter().flatten().min().unwrap_or(UNKNOWN)
}

/// The lowest limit of the control groups (cgroup v2 or v1) that this process is in.
fn container(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let limits = groups.lines().filter_map(|line| {
        let (_, line) = line.split_once(':')?;
        let (controllers, group) = line.split_once(':')?;
        let (folder, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|controller| controller == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        // A group is limited by those above it, too. Inside a container its own may be the root,
        // under which the name is not found.
        let above = Path::new(group.trim_start_matches('/')).ancestors();
        let limit =
            |group| number(&fs::read_to_string(root.join(folder).join(group).join(file)).ok()?);
        above.filter_map(limit).min()
    });
    limits.min()
}

fn machine(root: &Path) -> Option<u64> {
    let info = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    number(total.strip_suffix("kB")?)?.checked_mul(1024)
}

/// A number; `None` for `max`.
fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::PathBuf, process};

    use super::{UNKNOWN, memory, of_this_process, parse};

    /// A folder with these files, removed on drop.
    struct Root(PathBuf);

    impl Root {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root = env::temp_dir().join(format!("rl-memory-limit-{}-{name}", process::id()));
            for (path, content) in files {
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
            Self(root)
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_limit_is_a_number_with_a_unit() {
        for (text, bytes) in [
            ("1000000", 1_000_000),
            ("1M", 1_000_000),
            ("1000K", 1_000_000),
            ("1024Ki", 1 << 20),
            ("64Mi", 64 << 20),
            ("2G", 2_000_000_000),
            ("1Gi", 1 << 30),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "0", "999999", "1", "-1M", "+64M", "1.5G", "64 M", "64m", "64MB"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("18446744073709551615G").is_err());
        assert!(parse("99999999999999999999").is_err());
    }

    #[test]
    fn the_lowest_limit_counts() {
        const MACHINE: (&str, &str) = ("proc/meminfo", "MemTotal:  8000 kB\nMemFree:  1 kB\n");
        let v2 = ("proc/self/cgroup", "0::/app/front\n");
        let v1 = ("proc/self/cgroup", "5:cpu,memory:/app\n1:name=systemd:/\n");
        let machine = 8000 * 1024;
        for (name, files, bytes) in [
            ("nothing", vec![], UNKNOWN),
            ("machine", vec![MACHINE], machine),
            (
                "no-limit",
                vec![MACHINE, v2, ("sys/fs/cgroup/app/front/memory.max", "max\n")],
                machine,
            ),
            ("v2", vec![MACHINE, v2, ("sys/fs/cgroup/app/front/memory.max", "4096\n")], 4096),
            (
                "above",
                vec![
                    MACHINE,
                    v2,
                    ("sys/fs/cgroup/app/front/memory.max", "max\n"),
                    ("sys/fs/cgroup/app/memory.max", "5000\n"),
                ],
                5000,
            ),
            ("inside", vec![MACHINE, v2, ("sys/fs/cgroup/memory.max", "6000\n")], 6000),
            ("v1", vec![v1, ("sys/fs/cgroup/memory/app/memory.limit_in_bytes", "7000\n")], 7000),
            (
                "v1-no-limit",
                vec![
                    MACHINE,
                    v1,
                    ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ],
                machine,
            ),
        ] {
            assert_eq!(memory(&Root::new(name, &files).0), bytes, "{name}");
        }
        assert!(of_this_process() >= 1_000_000);
    }
}
