//! A cable to a server that outlives it: cut, nobody is reached, and connected again, everything is as it was. That is what
//! those who use a service see of its restart when it loses nothing, on a server that could not be restarted without losing
//! everything.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::bus::Broker;

/// For how long the port is asked for again, should somebody else have it for a moment.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// A cable from a port of its own to a server. Connections end with it.
pub struct Cable {
    server: SocketAddr,
    address: SocketAddr,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Cable {
    /// One to this server.
    ///
    /// # Errors
    /// There is no port to be had.
    pub async fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { server, address, task: Mutex::new(Some(carry(listener, server))) })
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn task(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Broker for Cable {
    /// Cuts it.
    async fn stop(&self) -> Result<()> {
        let Some(task) = self.task().take() else { return Ok(()) };
        task.abort();
        // Listener and connections are gone by then.
        let _ = task.await;
        Ok(())
    }

    /// Connects it again.
    async fn start(&self) -> Result<()> {
        let start = Instant::now();
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(error) if start.elapsed() > PATIENCE => {
                    return Err(Error::new(Kind::Internal, "its port is not to be had again").because(error));
                }
                Err(_) => tokio::time::sleep(POLL).await,
            }
        };
        *self.task() = Some(carry(listener, self.server));
        Ok(())
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        if let Some(task) = self.task().take() {
            task.abort();
        }
    }
}

fn carry(listener: TcpListener, server: SocketAddr) -> JoinHandle<()> {
    tokio::spawn(async move {
        // With the task end the connections.
        let mut connections = JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            connections.spawn(async move {
                // A connection that breaks is the affair of its ends.
                if let Ok(mut server) = TcpStream::connect(server).await {
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                }
            });
            while connections.try_join_next().is_some() {}
        }
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_cut_cable_carries_nothing_until_it_is_connected_again() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let server = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            // It answers what it is told, a byte at a time.
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while let Ok(byte) = stream.read_u8().await {
                        if stream.write_u8(byte + 1).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        let cable = Cable::to(server).await.expect("a cable");
        let mut before = TcpStream::connect(cable.address()).await.expect("connected");
        before.write_u8(1).await.expect("sent");
        assert_eq!(before.read_u8().await.expect("answered"), 2);
        cable.stop().await.expect("cut");
        cable.stop().await.expect("cut already");
        assert!(before.read_u8().await.is_err(), "what was connected is no more");
        assert!(TcpStream::connect(cable.address()).await.is_err(), "nor does anything connect");
        cable.start().await.expect("connected again");
        let mut after = TcpStream::connect(cable.address()).await.expect("connected");
        after.write_u8(5).await.expect("sent");
        assert_eq!(after.read_u8().await.expect("answered"), 6);
    }
}
