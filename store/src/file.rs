//! Files that are read while a process serves: regular ones, of bounded size, in bounded time.
//!
//! A file may be on a network mount that hangs, or be replaced by something that never ends.
//! Neither may stop the thread that serves, grow the process, or keep it from ending.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read},
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

/// Reads files on threads of its own, and gives up those that take too long. Clones share the
/// threads.
#[derive(Clone, Debug)]
pub struct FileReader {
    bounds: Arc<Bounds>,
}

#[derive(Debug)]
struct Bounds {
    time_limit: Duration,
    threads: Arc<Semaphore>,
}

/// Far longer than a disk or a network mount takes that works.
const TIME_LIMIT: Duration = Duration::from_secs(3);
/// Threads at a time, so that reads that hang and are tried again do not add up.
const MAX_THREADS: usize = 8;

const NOT_REGULAR: &str = "it must be a regular file, not a folder, pipe or device";

// === impl FileReader ===

impl FileReader {
    /// A reader that waits for three seconds.
    pub fn new() -> Self {
        Self::with_time_limit(TIME_LIMIT)
    }

    fn with_time_limit(time_limit: Duration) -> Self {
        let threads = Arc::new(Semaphore::new(MAX_THREADS));
        Self { bounds: Arc::new(Bounds { time_limit, threads }) }
    }

    /// Runs `read` on a thread that holds nobody up, not even the end of the process. Fails if it
    /// has not returned within the time limit.
    pub async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let result = timeout(self.bounds.time_limit, async {
            let permit = self.bounds.threads.clone().acquire_owned().await;
            let (send, result) = oneshot::channel();
            spawn(move || {
                let _ = send.send(read());
                drop(permit);
            })?;
            result.await.unwrap_or_else(|_| Err("the file was not read".to_owned()))
        });
        result.await.unwrap_or_else(|_| Err(self.too_late()))
    }

    /// [`run`](Self::run) for a thread that may wait, such as one that starts a front.
    pub fn run_blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let (send, result) = mpsc::channel();
        spawn(move || {
            let _ = send.send(read());
        })?;
        result.recv_timeout(self.bounds.time_limit).unwrap_or_else(|_| Err(self.too_late()))
    }

    fn too_late(&self) -> String {
        let seconds = self.bounds.time_limit.as_secs();
        format!("not read within {seconds} s: its disk or mount hangs")
    }
}

/// Starts a thread. It is not one of the runtime, whose end waits for them.
fn spawn(run: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let started = thread::Builder::new().name("rl-files".to_owned()).spawn(run);
    started.map(drop).map_err(|error| format!("no thread to read files: {error}"))
}

impl Default for FileReader {
    fn default() -> Self {
        Self::new()
    }
}

/// The content of the regular file at `path`, links followed, of at most `limit` bytes. It blocks.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let is_regular = |is_file| if is_file { Ok(()) } else { Err(io::Error::other(NOT_REGULAR)) };
    // Asked first, since opening a pipe waits for its writer, and again for the file that is open.
    is_regular(fs::metadata(path)?.is_file())?;
    let file = File::open(path)?;
    is_regular(file.metadata()?.is_file())?;
    read_all(file, limit)
}

/// All that `input` holds, of at most `limit` bytes, whatever size it claims to have. It blocks.
pub fn read_all(input: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    input.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        let unit = if limit >= 1 << 20 { (20, "MiB") } else { (10, "KiB") };
        let rule = format!("the file must be at most {} {}", limit >> unit.0, unit.1);
        return Err(io::Error::new(ErrorKind::FileTooLarge, rule));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::{
        env, fs, io,
        path::Path,
        process,
        sync::{Arc, mpsc},
        time::Duration,
    };

    use super::{Bounds, FileReader, MAX_THREADS, read, read_all};

    #[test]
    fn a_file_is_regular_and_bounded() {
        let file = env::temp_dir().join(format!("rl-file-{}", process::id()));
        fs::write(&file, "1234").unwrap();
        assert_eq!(read(&file, 4).unwrap(), b"1234");
        assert_eq!(read(&file, 3).unwrap_err().to_string(), "the file must be at most 0 KiB");
        fs::remove_file(&file).unwrap();
        assert_eq!(read(&file, 4).unwrap_err().kind(), io::ErrorKind::NotFound);
        for odd in ["/dev/zero", "/"] {
            let error = read(Path::new(odd), 4).unwrap_err().to_string();
            assert_eq!(error, "it must be a regular file, not a folder, pipe or device", "{odd}");
        }
        // A size that is not told in advance.
        assert!(!read(Path::new("/proc/self/status"), 1 << 20).unwrap().is_empty());
        let endless = read_all(io::repeat(7), 16 << 20).unwrap_err().to_string();
        assert_eq!(endless, "the file must be at most 16 MiB");
    }

    #[tokio::test]
    async fn reads_that_hang_are_given_up_and_do_not_add_up() {
        let reader = FileReader::with_time_limit(Duration::from_millis(20));
        let (started, starts) = mpsc::channel();
        let mut holders = Vec::new();
        for _ in 0..MAX_THREADS + 2 {
            let (hold, held) = mpsc::channel::<()>();
            holders.push(hold);
            let started = started.clone();
            let hangs = reader.run(move || {
                let _ = started.send(());
                let _ = held.recv();
                Ok(())
            });
            let error = hangs.await.unwrap_err();
            assert!(error.starts_with("not read within 0 s: "), "{error}");
        }
        assert_eq!(starts.try_iter().count(), MAX_THREADS);
        // Once they return, files are read again.
        holders.clear();
        let bounds =
            Bounds { time_limit: Duration::from_secs(60), threads: reader.bounds.threads.clone() };
        let patient = FileReader { bounds: Arc::new(bounds) };
        assert_eq!(patient.run(|| Ok(7)).await, Ok(7));
        assert_eq!(patient.run_blocking(|| Ok(8)), Ok(8));
    }
}
