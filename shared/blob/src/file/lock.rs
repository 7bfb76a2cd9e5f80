//! One writer of a key at a time, among all tasks of all processes on one machine.
//!
//! Between processes it is the kernel's lock on a file (`flock`), which a process cannot leave behind: it goes with
//! the process, however that ends. The lock files are a fixed number, all made when the store is opened, and never
//! removed. That is what makes them simple:
//! - Where each key has a lock file of its own, somebody must remove it, and then one process may hold the file that
//!   was removed while another holds the new one of the same name. Here no name ever means two files.
//! - Deleting must work on a full disk, so taking a lock must not make a file.
//! - Nobody holds two locks (a copy locks its target alone), so sharing one among keys costs a wait and no deadlock.
//!
//! Which file stands for a key, and how many there are, is part of the format: two programs that disagreed would not
//! exclude each other.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use autopgo_core::error::{Error, Kind, Result};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::fail::failed;

/// How many locks there are. Part of the format.
const COUNT: u8 = 64;
/// How long a writer waits for others. A write under the lock takes milliseconds; one that takes this long belongs to
/// a process that is stopped, or to a disk that hangs.
const WAIT: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_micros(500);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The locks of one store.
pub(super) struct Locks {
    folder: PathBuf,
    /// The tasks of this process queue here, so that one at a time waits for other processes, and no thread is taken
    /// by those that wait for each other.
    turns: Vec<Arc<Mutex<()>>>,
}

/// A task's turn at a lock, within this process.
pub(super) struct Turn {
    number: usize,
    guard: OwnedMutexGuard<()>,
}

/// The right to change the keys of one lock, until it is dropped.
pub(super) struct Held {
    // First the file is unlocked, then the next task of this process has its turn.
    _file: File,
    _turn: OwnedMutexGuard<()>,
}

impl Locks {
    /// Those whose files lie in `folder`, which is there. Makes the files that are missing.
    pub(super) fn open(folder: PathBuf) -> Result<Self> {
        for number in 0..usize::from(COUNT) {
            let path = file(&folder, number);
            open(&path).map_err(|error| failed("making", &path, error))?;
        }
        Ok(Self { folder, turns: (0..COUNT).map(|_| Arc::default()).collect() })
    }

    /// Waits until no other task of this process holds the lock of `key`.
    pub(super) async fn turn(&self, key: &str) -> Turn {
        let number = usize::from(Sha256::digest(key)[0] % COUNT);
        Turn { number, guard: Arc::clone(&self.turns[number]).lock_owned().await }
    }

    /// Waits until no other process holds the lock. Blocks the thread.
    ///
    /// # Errors
    /// `Unavailable` after half a minute.
    pub(super) fn hold(&self, turn: Turn) -> Result<Held> {
        self.hold_within(turn, WAIT)
    }

    fn hold_within(&self, turn: Turn, wait: Duration) -> Result<Held> {
        let path = file(&self.folder, turn.number);
        let file = open(&path).map_err(|error| failed("locking", &path, error))?;
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        // A lock that blocks could not be given up: the thread would hang with the process that holds it.
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Held { _file: file, _turn: turn.guard }),
                Err(TryLockError::Error(error)) => return Err(failed("locking", &path, error)),
                Err(TryLockError::WouldBlock) if start.elapsed() < wait => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::new(
                        Kind::Unavailable,
                        format!(
                            "another process has held {} for {} seconds; is one stopped, or the disk hanging?",
                            path.display(),
                            wait.as_secs()
                        ),
                    ));
                }
            }
        }
    }
}

fn file(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("{number:02x}"))
}

fn open(path: &Path) -> std::io::Result<File> {
    // Writable, because a network file system grants an exclusive lock on nothing less.
    OpenOptions::new().write(true).create(true).truncate(false).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_holds_it_and_the_next_gives_up_in_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, two) = (
            Locks::open(folder.path().into()).expect("one"),
            Locks::open(folder.path().into()).expect("two"),
        );
        let held = one.hold(one.turn("key").await).expect("held");
        let wait = Duration::from_millis(30);
        let refused = two.hold_within(two.turn("key").await, wait).err().expect("held by another");
        assert_eq!(refused.kind(), Kind::Unavailable);
        assert!(refused.what().contains("another process has held"), "{refused}");
        drop(held);
        two.hold_within(two.turn("key").await, wait).expect("free again");
    }

    #[tokio::test]
    async fn a_turn_that_is_given_up_is_the_next_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let locks = Locks::open(folder.path().into()).expect("locks");
        let turn = locks.turn("key").await;
        {
            let waiting = locks.turn("key");
            tokio::pin!(waiting);
            assert!(futures_util::poll!(&mut waiting).is_pending());
        }
        drop(turn);
        locks.hold(locks.turn("key").await).expect("free");
    }

    /// Part of the format: it stays so for ever.
    #[tokio::test]
    async fn the_lock_of_a_key_is_fixed() {
        let folder = tempfile::tempdir().expect("a folder");
        let locks = Locks::open(folder.path().into()).expect("locks");
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .expect("read")
            .map(|file| file.expect("file").file_name())
            .collect();
        names.sort();
        assert_eq!((names.len(), names[0].to_str(), names[63].to_str()), (64, Some("00"), Some("3f")));
        for (key, number) in [("checkout/default.pgo", 0x28), ("a", 0x0a)] {
            assert_eq!(locks.turn(key).await.number, number, "{key}");
        }
    }
}
