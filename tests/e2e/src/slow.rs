//! A slow line in front of a server.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PIECE: usize = 32 << 10;

/// Listens on loopback for as long as the test runs, and passes on to `server` no more than `rate` bytes a second of each
/// connection.
///
/// # Panics
/// When no port is free.
pub async fn line_to(server: SocketAddr, rate: u32) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass(client, server, rate));
        }
    });
    address
}

/// Until either side ends.
async fn pass(client: TcpStream, server: SocketAddr, rate: u32) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    let (mut asked, mut answers) = client.into_split();
    let (mut answered, mut asks) = server.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut answered, &mut answers).await });
    let mut piece = vec![0; PIECE];
    loop {
        let read = asked.read(&mut piece).await?;
        if read == 0 {
            break;
        }
        asks.write_all(&piece[..read]).await?;
        tokio::time::sleep(Duration::from_secs(read as u64) / rate).await;
    }
    asks.shutdown().await?;
    back.await?.map(drop)
}
