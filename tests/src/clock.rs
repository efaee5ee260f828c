//! A wall clock under the control of a test.

use std::fs;
use std::path::{Path, PathBuf};

/// The clock file of one server, which maps the file and sees each change at once.
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

    /// Lets the clock run at an offset of `micros` from the true time.
    pub fn shift(&self, micros: i64) {
        self.write(0, micros);
    }

    /// Stops the clock at `micros` microseconds since the epoch.
    pub fn freeze(&self, micros: u64) {
        self.write(1, i64::try_from(micros).expect("a moment"));
    }

    fn write(&self, mode: i64, value: i64) {
        use std::os::unix::fs::FileExt;
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&self.file);
        let file = file.expect("the clock file");
        // The value goes first. Under the old mode it is a wrong time, but only for a moment in
        // which the test sends nothing.
        file.write_all_at(&value.to_le_bytes(), 8).expect("the clock file");
        file.write_all_at(&mode.to_le_bytes(), 0).expect("the clock file");
    }
}
