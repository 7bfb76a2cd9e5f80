//! The body of an answer as it comes: kept in memory, or written into a file.

use std::io;

use autopgo_core::error::{Error, Kind, Result};
use bytes::{Bytes, BytesMut};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use crate::retry::Fault;

/// A file that is made when there is something to write into it.
pub struct Target<'a> {
    name: String,
    make: &'a mut (dyn FnMut() -> Result<std::fs::File> + Send),
}

impl<'a> Target<'a> {
    /// The file that `make` gives, which errors call `name`. It is asked anew for each try, and may give the same file:
    /// what is in it then is replaced.
    pub fn new(name: impl Into<String>, make: &'a mut (dyn FnMut() -> Result<std::fs::File> + Send)) -> Self {
        Self { name: name.into(), make }
    }
}

/// Where a body goes.
pub(crate) enum To<'a, 'b> {
    Memory,
    File(&'a mut Target<'b>),
}

/// A body on its way.
pub(crate) struct Body<'a> {
    pub(crate) size: u64,
    held: Held<'a>,
}

enum Held<'a> {
    Memory(BytesMut),
    File { file: File, name: &'a str },
}

impl<'a> Body<'a> {
    pub(crate) async fn new(to: &'a mut To<'_, '_>) -> Result<Self, Fault> {
        let held = match to {
            To::Memory => Held::Memory(BytesMut::new()),
            To::File(target) => {
                let mut file = File::from_std((target.make)().map_err(Fault::never)?);
                let emptied = async {
                    file.rewind().await?;
                    file.set_len(0).await
                };
                emptied.await.map_err(|error| unwritten(&target.name, error))?;
                Held::File { file, name: &target.name }
            }
        };
        Ok(Self { size: 0, held })
    }

    pub(crate) async fn take(&mut self, piece: &[u8]) -> Result<(), Fault> {
        match &mut self.held {
            Held::Memory(bytes) => bytes.extend_from_slice(piece),
            Held::File { file, name } => {
                file.write_all(piece).await.map_err(|error| unwritten(name, error))?;
            }
        }
        self.size += piece.len() as u64;
        Ok(())
    }

    /// Its size, and the bytes if they are in memory.
    pub(crate) async fn end(self) -> Result<(u64, Bytes), Fault> {
        match self.held {
            Held::Memory(bytes) => Ok((self.size, bytes.freeze())),
            Held::File { mut file, name } => {
                file.flush().await.map_err(|error| unwritten(name, error))?;
                Ok((self.size, Bytes::new()))
            }
        }
    }
}

/// A disk that is full stays so.
fn unwritten(name: &str, error: io::Error) -> Fault {
    Fault::never(Error::new(Kind::Internal, format!("writing {name}")).because(error))
}
