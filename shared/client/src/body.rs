//! The body of an answer as it comes: kept in memory, or written into a file.

use std::io;

use autopgo_core::error::{Error, Kind};
use bytes::{Bytes, BytesMut};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use crate::retry::Fault;

/// Where a body goes.
pub(crate) enum To<'a> {
    Memory,
    /// In place of whatever is in it.
    File(&'a mut File),
}

/// A body on its way.
pub(crate) struct Body<'a> {
    pub(crate) size: u64,
    held: Held<'a>,
}

enum Held<'a> {
    Memory(BytesMut),
    File(&'a mut File),
}

impl<'a> Body<'a> {
    pub(crate) async fn new(to: &'a mut To<'_>) -> Result<Self, Fault> {
        let held = match to {
            To::Memory => Held::Memory(BytesMut::new()),
            To::File(file) => {
                file.rewind().await.map_err(unwritten)?;
                file.set_len(0).await.map_err(unwritten)?;
                Held::File(file)
            }
        };
        Ok(Self { size: 0, held })
    }

    pub(crate) async fn take(&mut self, piece: &[u8]) -> Result<(), Fault> {
        match &mut self.held {
            Held::Memory(bytes) => bytes.extend_from_slice(piece),
            Held::File(file) => file.write_all(piece).await.map_err(unwritten)?,
        }
        self.size += piece.len() as u64;
        Ok(())
    }

    /// Its size, and the bytes if they are in memory.
    pub(crate) async fn end(self) -> Result<(u64, Bytes), Fault> {
        match self.held {
            Held::Memory(bytes) => Ok((self.size, bytes.freeze())),
            Held::File(file) => {
                file.flush().await.map_err(unwritten)?;
                Ok((self.size, Bytes::new()))
            }
        }
    }
}

/// A disk that is full stays so.
fn unwritten(error: io::Error) -> Fault {
    Fault::never(Error::new(Kind::Internal, "writing what comes into a file").because(error))
}
