//! Files that are reloaded when they change: the policies and the tokens.
//!
//! A file is read twice a second rather than watched: that also notices the swapped symbolic links
//! of a mounted ConfigMap or secret, and works on network file systems. New content is loaded once
//! two reads agree, so that a file is not loaded while it is being written. Where each read costs
//! money, only SIGHUP reads the file.

use std::{
    fmt,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use clap::ValueEnum;
use rl_store::file::{self, FileReader};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

/// When files are reloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Reload {
    /// Within a second of a change, and on SIGHUP
    Change,
    /// On SIGHUP only, for mounts where each read is billed; the password for each new connection
    Signal,
}

/// The value in force, which a reload replaces.
#[derive(Debug)]
pub struct Reloadable<T> {
    value: ArcSwap<T>,
    generation: AtomicU64,
}

/// A file that is reloaded when it changes.
pub struct WatchedFile<T> {
    path: PathBuf,
    reader: FileReader,
    parse: Box<Parse<T>>,
    value: Arc<Reloadable<T>>,
    /// The content that was loaded or refused last; `None` once the file cannot be read.
    last_content: Option<Vec<u8>>,
    /// New content that one read has found.
    pending: Option<Vec<u8>>,
}

/// The outcome of a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// The new content is in force.
    Loaded,
    /// The new content is refused for this reason, and the old one stays in force.
    Refused(String),
}

/// The reason to read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    /// The interval has passed: load content that is new and that two reads agree on.
    Interval,
    /// A signal has arrived: load the content, even if it is not new.
    Signal,
}

type Parse<T> = dyn Fn(&[u8]) -> Result<T, String> + Send;

/// Room for a policy file with tens of thousands of overrides, but not for a file given by mistake.
const MAX_SIZE: u64 = 16 << 20;
const INTERVAL: Duration = Duration::from_millis(500);

// === impl Reloadable ===

impl<T> Reloadable<T> {
    /// The first generation.
    pub fn new(value: T) -> Self {
        Self { value: ArcSwap::from_pointee(value), generation: AtomicU64::new(1) }
    }

    /// The value in force now.
    pub fn get(&self) -> arc_swap::Guard<Arc<T>> {
        self.value.load()
    }

    /// The number of values that have been in force.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn replace(&self, value: T) {
        self.value.store(Arc::new(value));
        self.generation.fetch_add(1, Ordering::Release);
    }
}

// === impl WatchedFile ===

impl<T> WatchedFile<T> {
    /// Loads the file at `path`. The error names the file, and the reason that `parse` gives. It
    /// blocks for at most three seconds.
    pub fn open(
        path: &Path,
        parse: impl Fn(&[u8]) -> Result<T, String> + Send + 'static,
    ) -> Result<Self, String> {
        let reader = FileReader::new();
        let content = {
            let path = path.to_owned();
            reader.run_blocking(move || read(&path).map_err(|it| it.to_string()))
        };
        let content = content.map_err(|error| format!("{}: {error}", path.display()))?;
        let value = parse(&content).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            reader,
            parse: Box::new(parse),
            value: Arc::new(Reloadable::new(value)),
            last_content: Some(content),
            pending: None,
        })
    }

    /// The value of the file, to share.
    pub fn value(&self) -> Arc<Reloadable<T>> {
        self.value.clone()
    }

    /// Reloads the file forever, and reports each outcome to `on_reload`.
    pub async fn watch(
        mut self,
        when: Reload,
        mut on_reload: impl FnMut(&ReloadOutcome),
    ) -> io::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let trigger = tokio::select! {
                _ = ticks.tick(), if when == Reload::Change => Trigger::Interval,
                _ = hangup.recv() => Trigger::Signal,
            };
            let path = self.path.clone();
            let content = self.reader.run(move || read(&path).map_err(|it| it.to_string())).await;
            if let Some(outcome) = self.reload(trigger, content) {
                on_reload(&outcome);
            }
        }
    }

    /// Loads the content that was read if the trigger asks for that.
    fn reload(
        &mut self,
        trigger: Trigger,
        content: Result<Vec<u8>, String>,
    ) -> Option<ReloadOutcome> {
        let content = match content {
            Ok(content) => content,
            // Reported once, until the file can be read again.
            Err(_) if trigger == Trigger::Interval && self.last_content.is_none() => return None,
            Err(error) => {
                (self.last_content, self.pending) = (None, None);
                return Some(ReloadOutcome::Refused(error));
            }
        };
        if trigger == Trigger::Interval {
            if self.last_content.as_ref() == Some(&content) {
                self.pending = None;
                return None;
            }
            if self.pending.as_ref() != Some(&content) {
                self.pending = Some(content);
                return None;
            }
        }
        let outcome = match (self.parse)(&content) {
            Ok(value) => {
                self.value.replace(value);
                ReloadOutcome::Loaded
            }
            Err(reason) => ReloadOutcome::Refused(reason),
        };
        (self.last_content, self.pending) = (Some(content), None);
        Some(outcome)
    }
}

impl<T> fmt::Debug for WatchedFile<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The content of a regular file of at most 16 MiB. It blocks.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    file::read(path, MAX_SIZE)
}

/// The content of an input, of at most 16 MiB. It blocks.
pub fn read_all(input: impl Read) -> io::Result<Vec<u8>> {
    file::read_all(input, MAX_SIZE)
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::PathBuf, process};

    use super::{
        ReloadOutcome::{self, Loaded, Refused},
        Trigger::{self, Interval, Signal},
        WatchedFile, read,
    };

    /// A temporary file.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, content: &str) -> Self {
            let path = env::temp_dir().join(format!("rl-reload-{}-{name}", process::id()));
            fs::write(&path, content).unwrap();
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn reload(watched: &mut WatchedFile<u32>, trigger: Trigger) -> Option<ReloadOutcome> {
        let content = read(&watched.path).map_err(|error| error.to_string());
        watched.reload(trigger, content)
    }

    fn number(content: &[u8]) -> Result<u32, String> {
        std::str::from_utf8(content).unwrap().parse().map_err(|_| "not a number".to_owned())
    }

    #[test]
    fn new_content_is_loaded_once_two_reads_agree() {
        let file = Scratch::new("rest", "1");
        let mut watched = WatchedFile::open(&file.0, number).unwrap();
        let value = watched.value();
        assert_eq!(reload(&mut watched, Interval), None);
        fs::write(&file.0, "2").unwrap();
        assert_eq!(reload(&mut watched, Interval), None);
        fs::write(&file.0, "23").unwrap();
        assert_eq!(reload(&mut watched, Interval), None, "it is still being written");
        assert_eq!(reload(&mut watched, Interval), Some(Loaded));
        assert_eq!((**value.get(), value.generation()), (23, 2));
        assert_eq!(reload(&mut watched, Interval), None);
        fs::write(&file.0, "4").unwrap();
        assert_eq!(reload(&mut watched, Signal), Some(Loaded), "a signal needs no second read");
        assert_eq!((**value.get(), value.generation()), (4, 3));
    }

    #[test]
    fn invalid_content_is_refused_once_and_the_old_stays() {
        let file = Scratch::new("bad", "1");
        let mut watched = WatchedFile::open(&file.0, number).unwrap();
        let refused = Some(Refused("not a number".to_owned()));
        fs::write(&file.0, "x").unwrap();
        assert_eq!(
            (reload(&mut watched, Interval), reload(&mut watched, Interval)),
            (None, refused.clone())
        );
        assert_eq!((reload(&mut watched, Interval), reload(&mut watched, Interval)), (None, None));
        assert_eq!(reload(&mut watched, Signal), refused);
        fs::remove_file(&file.0).unwrap();
        assert!(matches!(reload(&mut watched, Interval), Some(Refused(_))));
        assert_eq!(reload(&mut watched, Interval), None);
        assert_eq!((**watched.value().get(), watched.value().generation()), (1, 1));
        fs::write(&file.0, "5").unwrap();
        assert_eq!(
            (reload(&mut watched, Interval), reload(&mut watched, Interval)),
            (None, Some(Loaded))
        );
    }

    #[test]
    fn errors_at_the_start_name_the_file() {
        let missing = WatchedFile::open("/nonexistent/file".as_ref(), number).unwrap_err();
        assert!(missing.starts_with("/nonexistent/file: "), "{missing}");
        let file = Scratch::new("start", "x");
        assert!(WatchedFile::open(&file.0, number).unwrap_err().ends_with(": not a number"));
    }
}
