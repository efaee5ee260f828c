//! A wall clock that a test moves.

use std::fs;
use std::path::{Path, PathBuf};

/// The clock file of one server; the server maps it and sees each change at once.
pub struct Clock {
    file: PathBuf,
}

// === impl Clock ===

impl Clock {
    pub(crate) fn new(folder: &Path) -> Self {
        let clock = Self { file: folder.join("clock") };
        clock.shift(0);
        clock
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Lets the clock run, `micros` away from the true time.
    pub fn shift(&self, micros: i64) {
        self.write(0, micros);
    }

    /// Stops the clock at this many microseconds since the epoch.
    pub fn freeze(&self, micros: u64) {
        self.write(1, i64::try_from(micros).expect("a moment"));
    }

    fn write(&self, mode: i64, value: i64) {
        use std::os::unix::fs::FileExt;
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&self.file);
        let file = file.expect("the clock file");
        // The value first: with the old mode it can only be a wrong time for a moment in which the
        // test asks nothing.
        file.write_all_at(&value.to_le_bytes(), 8).expect("the clock file");
        file.write_all_at(&mode.to_le_bytes(), 0).expect("the clock file");
    }
}
