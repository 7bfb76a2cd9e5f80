//! What is uploaded: bytes that are held, or a file that is read as it is sent.

use std::error::Error as StdError;
use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;

use autopgo_core::error::{Error, Kind, Result};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::task::spawn_blocking;

/// The piece in which a body is handed over: what progress is counted in.
const PIECE: usize = 64 << 10;

/// A profile to be uploaded. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Content(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Bytes(Bytes),
    File(Arc<Open>),
}

/// A file that stays open, so that every try sends the same one, whatever becomes of its name.
#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
    name: String,
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self(Kept::Bytes(bytes))
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl Content {
    /// All of a regular file, which errors call `name`. Each try reads it anew, wherever it stands: it must not change
    /// before the upload has ended.
    ///
    /// # Errors
    /// `Invalid` if it cannot be looked at, or is no regular file.
    pub fn file(file: File, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let invalid = |what: &str| Error::new(Kind::Invalid, format!("{name}: {what}"));
        let found = file.metadata().map_err(|error| invalid("it cannot be read").because(error))?;
        if !found.is_file() {
            return Err(invalid("it is no regular file"));
        }
        Ok(Self(Kept::File(Arc::new(Open { file, size: found.len(), name }))))
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        match &self.0 {
            Kept::Bytes(bytes) => bytes.len() as u64,
            Kept::File(open) => open.size,
        }
    }

    /// All of it, from its beginning, in pieces. An error is an [`Unread`].
    pub(crate) fn pieces(&self) -> BoxStream<'static, std::result::Result<Bytes, Unread>> {
        match self.0.clone() {
            Kept::Bytes(bytes) => {
                let starts = (0..bytes.len()).step_by(PIECE);
                stream::iter(starts.map(move |start| Ok(bytes.slice(start..bytes.len().min(start + PIECE)))))
                    .boxed()
            }
            Kept::File(open) => stream::try_unfold(0, move |at| {
                let open = Arc::clone(&open);
                async move {
                    if at == open.size {
                        return Ok(None);
                    }
                    let reading = Arc::clone(&open);
                    let read = spawn_blocking(move || reading.piece(at)).await;
                    let read = read.unwrap_or_else(|error| Err(io::Error::other(error)));
                    let piece = read.map_err(|cause| Unread { name: open.name.clone(), cause })?;
                    let next = at + piece.len() as u64;
                    Ok(Some((piece, next)))
                }
            })
            .boxed(),
        }
    }
}

impl Open {
    /// The piece at `at`, which is before the end.
    fn piece(&self, at: u64) -> io::Result<Bytes> {
        let left = self.size - at;
        let mut piece = vec![0; usize::try_from(left).map_or(PIECE, |left| left.min(PIECE))];
        let mut read = 0;
        while read < piece.len() {
            match read_at(&self.file, &mut piece[read..], at + read as u64) {
                Ok(0) => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has become shorter"));
                }
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(piece.into())
    }
}

/// Reads at a place of the file, and leaves where others read alone: a try that was given up may still be reading.
#[cfg(unix)]
fn read_at(file: &File, to: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, to, at)
}

#[cfg(windows)]
fn read_at(file: &File, to: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, to, at)
}

/// That a file could not be read while it was sent: nothing that the other side could help.
#[derive(Debug)]
pub(crate) struct Unread {
    name: String,
    cause: io::Error,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} could not be read to its end: {}", self.name, self.cause)
    }
}

impl StdError for Unread {}
