//! A proxy between a store and its client that makes trouble on demand, and counts what is asked.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::wire::{self, Request};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this status and goes no further.
    Answers(u16),
    /// Its connection is closed before it goes further.
    Closes,
    /// It goes on, and its connection is closed before its answer is given.
    LosesTheAnswer,
    /// It is taken and never answered.
    IsSilent,
}

/// A proxy on a port of its own. It ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    upstream: SocketAddr,
    plan: Mutex<Plan>,
    requests: AtomicUsize,
    /// Requests that are taken and not answered, whose client is still there.
    waiting: AtomicUsize,
}

#[derive(Default)]
struct Plan {
    next: VecDeque<Fault>,
    always: Option<Fault>,
}

impl Proxy {
    /// One in front of `upstream`, without faults.
    ///
    /// # Errors
    /// There is no port to be had.
    pub async fn before(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = State {
            upstream,
            plan: Mutex::default(),
            requests: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
        };
        let state = Arc::new(state);
        let serving = Arc::clone(&state);
        let task = tokio::spawn(async move {
            // With the task end the connections.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(connection(stream, Arc::clone(&serving)));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, state, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next `times` requests meet this fault.
    pub fn next(&self, times: usize, fault: Fault) {
        self.plan().next.extend(std::iter::repeat_n(fault, times));
    }

    /// Every request that [`Proxy::next`] does not name meets this fault, or none.
    pub fn always(&self, fault: Option<Fault>) {
        let mut plan = self.plan();
        plan.next.clear();
        plan.always = fault;
    }

    /// How many requests have come so far.
    pub fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// How many clients wait for an answer that they will not get.
    pub fn waiting(&self) -> usize {
        self.state.waiting.load(Ordering::SeqCst)
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.state.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves one request. A connection that breaks is its client's affair.
async fn connection(mut client: TcpStream, state: Arc<State>) {
    let _ = serve(&mut client, &state).await;
}

async fn serve(client: &mut TcpStream, state: &State) -> io::Result<()> {
    let Some(request) = Request::read(client).await? else { return Ok(()) };
    state.requests.fetch_add(1, Ordering::SeqCst);
    let fault = {
        let mut plan = state.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let always = plan.always;
        plan.next.pop_front().or(always)
    };
    match fault {
        Some(Fault::Answers(status)) => return wire::answer(client, status, b"").await,
        Some(Fault::Closes) => return Ok(()),
        Some(Fault::IsSilent) => {
            state.waiting.fetch_add(1, Ordering::SeqCst);
            // Until the client goes.
            let gone = client.read_u8().await;
            state.waiting.fetch_sub(1, Ordering::SeqCst);
            return gone.map(drop);
        }
        Some(Fault::LosesTheAnswer) | None => {}
    }
    let mut server = TcpStream::connect(state.upstream).await?;
    request.send(&mut server).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    if fault.is_none() {
        client.write_all(&answer).await?;
        client.shutdown().await?;
    }
    Ok(())
}
