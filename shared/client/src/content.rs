//! What is uploaded: bytes that are held, or a file that is read as it is sent.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use autopgo_core::error::{Error, Kind, Result};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

/// The piece in which a body is handed over: what progress is counted in.
const PIECE: usize = 64 << 10;

/// A profile to be uploaded. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Content(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Bytes(Bytes),
    File { path: Arc<Path>, size: u64 },
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
    /// The file at `path`, as it is now: each try reads it again, and it must not change before the upload has ended.
    ///
    /// # Errors
    /// `Invalid` if it cannot be looked at, or is no regular file.
    pub fn file(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let invalid = |what: &str| Error::new(Kind::Invalid, format!("{}: {what}", path.display()));
        let found = std::fs::metadata(&path).map_err(|error| invalid("it cannot be read").because(error))?;
        if !found.is_file() {
            return Err(invalid("it is no regular file"));
        }
        Ok(Self(Kept::File { size: found.len(), path: path.into() }))
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        match &self.0 {
            Kept::Bytes(bytes) => bytes.len() as u64,
            Kept::File { size, .. } => *size,
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
            Kept::File { path, size } => stream::try_unfold((None, size), move |(file, left)| {
                let path = Arc::clone(&path);
                async move {
                    if left == 0 {
                        return Ok(None);
                    }
                    let read = async {
                        let mut file = match file {
                            Some(file) => file,
                            None => File::open(&path).await?,
                        };
                        let piece = next(&mut file, left).await?;
                        Ok((file, piece))
                    };
                    let (file, piece) = read.await.map_err(|cause| Unread { path, cause })?;
                    let left = left - piece.len() as u64;
                    Ok(Some((piece, (Some(file), left))))
                }
            })
            .boxed(),
        }
    }
}

/// At least one of the `left` bytes that are still to come of `file`.
async fn next(file: &mut File, left: u64) -> io::Result<Bytes> {
    let most = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
    let mut piece = BytesMut::with_capacity(most);
    while piece.len() < most {
        if (&mut *file).take((most - piece.len()) as u64).read_buf(&mut piece).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has become shorter"));
        }
    }
    Ok(piece.freeze())
}

/// That a file could not be read while it was sent: nothing that the other side could help.
#[derive(Debug)]
pub(crate) struct Unread {
    path: Arc<Path>,
    cause: io::Error,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} could not be read to its end: {}", self.path.display(), self.cause)
    }
}

impl StdError for Unread {}
