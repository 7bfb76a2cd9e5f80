//! The listener: binds a port, takes connections, and stops without cutting anybody off.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::limits::Limits;
use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::connection::Server;
use super::metrics;

/// How long requests in hand may take to end, where the host grants no other time.
pub const GRACE: Duration = Duration::from_secs(10);
/// Pauses after a connection that could not be accepted: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A listener at `address`.
///
/// # Errors
/// Says why the port cannot be had and what to change: `Unavailable` for one that is taken, `Invalid` for an address
/// that is not this machine's and for what cannot work, `Denied` for a port that this user may not have.
pub async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let (port, ip) = (address.port(), address.ip());
        let (kind, why) = match error.kind() {
            ErrorKind::AddrInUse => (
                Kind::Unavailable,
                "another process has it; stop that one, or choose another port with --port or AUTOPGO_PORT",
            ),
            ErrorKind::PermissionDenied => {
                (Kind::Denied, "this user may not have it; choose one above 1023 with --port or AUTOPGO_PORT")
            }
            ErrorKind::AddrNotAvailable => (Kind::Invalid, "this machine does not have that address"),
            _ => (Kind::Internal, "choose another with --port or AUTOPGO_PORT"),
        };
        Error::new(kind, format!("listening on port {port} of {ip}: {why}")).because(error)
    })
}

/// Serves `router` on `listener` until `shutdown` resolves; then takes no more connections, closes those at rest, and
/// gives the requests in hand `grace` to end.
///
/// Nothing that a client does, and no lack of file descriptors, ends it before that.
pub async fn run(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    shutdown: impl Future<Output = ()>,
    grace: Duration,
) {
    match listener.local_addr() {
        Ok(address) => tracing::info!(server.address = %address, "listening"),
        Err(error) => tracing::warn!(error = %error, "listening at an address that the system does not tell"),
    }
    tokio::select! {
        () = serve(listener, router, limits, shutdown, grace) => {}
        never = metrics::upkeep() => match never {},
    }
}

/// Where connections come from; tests let it fail.
trait Accept {
    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)>;
}

impl Accept for TcpListener {
    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        TcpListener::accept(self).await
    }
}

async fn serve(
    mut listener: impl Accept,
    router: Router,
    limits: &Limits,
    shutdown: impl Future<Output = ()>,
    grace: Duration,
) {
    let stopping = CancellationToken::new();
    let server = Server::new(router, limits, stopping.clone());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            // Ended ones are let go of as they end. None panics: handlers are caught one by one.
            Some(_) = connections.join_next() => {}
            (stream, peer) = next(&mut listener) => {
                // Answers are written whole, so waiting for more of them only costs time.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(client.address = %peer, error = %error, "a connection ended before it began");
                    continue;
                }
                connections.spawn(server.clone().serve(stream, peer));
            }
        }
    }
    // From here on new clients are refused by the system, so that they go elsewhere at once.
    drop(listener);
    stopping.cancel();
    tracing::info!(
        connections = connections.len(),
        grace_ms = millis(grace),
        "stopping: no more connections are taken"
    );
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(grace, all).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            grace_ms = millis(grace),
            "connections were cut off: they did not end in time"
        );
        connections.shutdown().await;
    }
}

/// The next connection, however long that takes and whatever goes wrong meanwhile.
async fn next(listener: &mut impl Accept) -> (TcpStream, SocketAddr) {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => error,
        };
        // The client was gone before it was accepted. There is a next one.
        if matches!(
            error.kind(),
            ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionRefused
                | ErrorKind::Interrupted
        ) {
            continue;
        }
        // Out of descriptors or memory. Trying again at once would only burn the time that others need to end.
        tracing::error!(error = %error, pause_ms = millis(pause), "a connection could not be accepted");
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Gives what it was given, then waits for ever.
    struct Script(VecDeque<io::Result<(TcpStream, SocketAddr)>>);

    impl Accept for Script {
        async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
            match self.0.pop_front() {
                Some(accepted) => accepted,
                None => std::future::pending().await,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_lack_of_descriptors_ends_it() {
        let real = bind(([127, 0, 0, 1], 0).into()).await.expect("any port");
        let mut client = TcpStream::connect(real.local_addr().expect("bound")).await.expect("it listens");
        // EMFILE, again and again; a client that was gone before.
        let mut script: VecDeque<_> = (0..20).map(|_| Err(io::Error::from_raw_os_error(24))).collect();
        script.push_back(Err(ErrorKind::ConnectionAborted.into()));
        script.push_back(real.accept().await);
        let stop = CancellationToken::new();
        let limits = Limits::default();
        let start = tokio::time::Instant::now();
        let router = super::super::health::router(Default::default());
        let served = serve(Script(script), router, &limits, stop.cancelled(), GRACE);
        let asked = async {
            client.write_all(b"GET /api/ready HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it reads");
            let mut answer = [0; 1024];
            let read = client.read(&mut answer).await.expect("it answers");
            assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
            stop.cancel();
        };
        tokio::join!(served, asked);
        // 10, 20, 40 ... 640 ms, then a second each.
        let paused = start.elapsed();
        assert!((Duration::from_secs(14)..Duration::from_secs(16)).contains(&paused), "{paused:?}");
    }
}
