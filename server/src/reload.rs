//! Files that are read again when they change: the policies and the tokens.
//!
//! A file is looked at twice a second, not watched: that also sees the swapped symbolic links of a
//! mounted ConfigMap or secret, and network file systems. A changed content counts once two looks
//! agree, so that a file is not read while it is being written. Where each look costs, SIGHUP alone has it read.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use clap::ValueEnum;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

/// When files are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Reload {
    /// When they change, within a second, and on SIGHUP
    Change,
    /// On SIGHUP only, for mounts where each look is a billed call; the password with each new connection
    Signal,
}

/// The content of a file, as it is in force.
#[derive(Debug)]
pub struct Reloadable<T> {
    value: ArcSwap<T>,
    generation: AtomicU64,
}

/// A file that is read again when it changes.
pub struct WatchedFile<T> {
    path: PathBuf,
    read: Box<Read<T>>,
    live: Arc<Reloadable<T>>,
    /// The last content that was judged, good or bad.
    judged: Option<Vec<u8>>,
    /// A new content that was seen once.
    seen: Option<Vec<u8>>,
}

/// What became of a changed content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// It is in force.
    Loaded,
    /// It is not, for this reason, and what was in force stays.
    Refused(String),
}

type Read<T> = dyn Fn(&[u8]) -> Result<T, String> + Send;

/// A policy file with tens of thousands of overrides fits; a mistaken path to something huge does not.
const MAX_SIZE: u64 = 16 << 20;
const LOOK: Duration = Duration::from_millis(500);

// === impl Reloadable ===

impl<T> Reloadable<T> {
    /// The first generation.
    pub fn new(value: T) -> Self {
        Self { value: ArcSwap::from_pointee(value), generation: AtomicU64::new(1) }
    }

    /// What is in force now.
    pub fn get(&self) -> arc_swap::Guard<Arc<T>> {
        self.value.load()
    }

    /// How many contents have been in force.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    fn replace(&self, value: T) {
        self.value.store(Arc::new(value));
        self.generation.fetch_add(1, Ordering::Relaxed);
    }
}

// === impl WatchedFile ===

impl<T> WatchedFile<T> {
    /// Reads `path`; the error names it, the place and the reason.
    pub fn open(
        path: &Path,
        read: impl Fn(&[u8]) -> Result<T, String> + Send + 'static,
    ) -> Result<Self, String> {
        let content = content(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let value = read(&content).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            read: Box::new(read),
            live: Arc::new(Reloadable::new(value)),
            judged: Some(content),
            seen: None,
        })
    }

    /// What it says, wherever that is needed.
    pub fn live(&self) -> Arc<Reloadable<T>> {
        self.live.clone()
    }

    /// Looks at the file; what changed, if anything did. `now` judges what is there at once, even if it
    /// was judged before.
    pub fn look(&mut self, now: bool) -> Option<ReloadOutcome> {
        let content = match content(&self.path) {
            Ok(content) => content,
            // Told once, until there is a file again.
            Err(_) if !now && self.judged.is_none() => return None,
            Err(error) => {
                (self.judged, self.seen) = (None, None);
                return Some(ReloadOutcome::Refused(error.to_string()));
            }
        };
        if !now {
            if self.judged.as_ref() == Some(&content) {
                self.seen = None;
                return None;
            }
            if self.seen.as_ref() != Some(&content) {
                self.seen = Some(content);
                return None;
            }
        }
        let change = match (self.read)(&content) {
            Ok(value) => {
                self.live.replace(value);
                ReloadOutcome::Loaded
            }
            Err(reason) => ReloadOutcome::Refused(reason),
        };
        (self.judged, self.seen) = (Some(content), None);
        Some(change)
    }

    /// Looks for ever, at once on SIGHUP; each change is told to `on_change`.
    pub async fn follow(
        mut self,
        when: Reload,
        mut on_change: impl FnMut(&ReloadOutcome),
    ) -> io::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = tokio::select! {
                _ = looks.tick(), if when == Reload::Change => false,
                _ = hangup.recv() => true,
            };
            if let Some(change) = self.look(now) {
                on_change(&change);
            }
        }
    }
}

impl<T> fmt::Debug for WatchedFile<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What the file holds.
pub fn content(path: &Path) -> io::Result<Vec<u8>> {
    let size = fs::metadata(path)?.len();
    if size > MAX_SIZE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 16 MiB"));
    }
    fs::read(path)
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::PathBuf, process};

    use super::{ReloadOutcome, WatchedFile};

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

    fn number(content: &[u8]) -> Result<u32, String> {
        std::str::from_utf8(content).unwrap().parse().map_err(|_| "not a number".to_owned())
    }

    #[test]
    fn a_change_counts_once_it_rests() {
        let file = Scratch::new("rest", "1");
        let mut source = WatchedFile::open(&file.0, number).unwrap();
        let live = source.live();
        assert_eq!(source.look(false), None);
        fs::write(&file.0, "2").unwrap();
        assert_eq!(source.look(false), None);
        fs::write(&file.0, "23").unwrap();
        assert_eq!(source.look(false), None, "it is still being written");
        assert_eq!(source.look(false), Some(ReloadOutcome::Loaded));
        assert_eq!((**live.get(), live.generation()), (23, 2));
        assert_eq!(source.look(false), None);
        fs::write(&file.0, "4").unwrap();
        assert_eq!(source.look(true), Some(ReloadOutcome::Loaded), "told to look: no second look");
        assert_eq!((**live.get(), live.generation()), (4, 3));
    }

    #[test]
    fn a_bad_content_is_refused_once_and_the_old_stays() {
        let file = Scratch::new("bad", "1");
        let mut source = WatchedFile::open(&file.0, number).unwrap();
        let refused = Some(ReloadOutcome::Refused("not a number".to_owned()));
        fs::write(&file.0, "x").unwrap();
        assert_eq!((source.look(false), source.look(false)), (None, refused.clone()));
        assert_eq!((source.look(false), source.look(false)), (None, None));
        assert_eq!(source.look(true), refused);
        fs::remove_file(&file.0).unwrap();
        assert!(matches!(source.look(false), Some(ReloadOutcome::Refused(_))));
        assert_eq!(source.look(false), None);
        assert_eq!((**source.live().get(), source.live().generation()), (1, 1));
        fs::write(&file.0, "5").unwrap();
        assert_eq!((source.look(false), source.look(false)), (None, Some(ReloadOutcome::Loaded)));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let missing = WatchedFile::open("/nonexistent/file".as_ref(), number).unwrap_err();
        assert!(missing.starts_with("/nonexistent/file: "), "{missing}");
        let file = Scratch::new("start", "x");
        assert!(WatchedFile::open(&file.0, number).unwrap_err().ends_with(": not a number"));
    }
}
