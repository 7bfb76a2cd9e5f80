//! The handler's process (`Workers/Http/HttpWorkerProcess.cs`, `HttpFunctionInvocationDispatcher.cs`).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// How long a handler may take until it answers (`initializationTimeout`).
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);
/// How often it may end by itself; after that the host does too (`ErrorEventsThreshold`).
const ENDS: usize = 3;

/// The handler, wherever it is.
pub(super) struct Handler {
    program: Option<Program>,
    state: watch::Sender<State>,
    id: Mutex<Option<u32>>,
    starts: AtomicUsize,
    log: Arc<Mutex<Vec<String>>>,
}

struct Program {
    path: PathBuf,
    folder: PathBuf,
    settings: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// It does not answer yet.
    Starting,
    /// It answers here.
    Ready(SocketAddr),
    /// It is to end and not to come back.
    Stopping,
    /// It is not there and will not be, for this reason and with this code.
    Ended(String, Option<i32>),
}

impl Handler {
    pub(super) fn at(address: SocketAddr) -> Self {
        Self::new(None, State::Ready(address))
    }

    pub(super) fn program(path: PathBuf, folder: &Path, settings: Vec<(String, String)>) -> Self {
        let program = Program { path, folder: folder.to_owned(), settings };
        Self::new(Some(program), State::Starting)
    }

    fn new(program: Option<Program>, state: State) -> Self {
        let (state, _) = watch::channel(state);
        Self { program, state, id: Mutex::default(), starts: AtomicUsize::new(0), log: Arc::default() }
    }

    /// Starts the handler, and again whenever it ends, until it has ended too often or is to.
    pub(super) async fn supervised(self: Arc<Self>, client: reqwest::Client) {
        let Some(program) = &self.program else { return };
        for _ in 0..ENDS {
            let ended = self.run(program, &client).await;
            *self.id() = None;
            let (why, code) = match ended {
                Ok(status) => (format!("the handler ended with {status}"), status.code()),
                Err(error) => (format!("the handler does not start: {error}"), None),
            };
            if *self.state.borrow() == State::Stopping {
                self.state.send_replace(State::Ended(why, code));
                return;
            }
            self.state.send_replace(State::Starting);
        }
        self.state.send_replace(State::Ended("the handler ended too often".to_owned(), None));
    }

    /// One life of the process. It has the app's settings and no other variables.
    async fn run(&self, program: &Program, client: &reqwest::Client) -> io::Result<std::process::ExitStatus> {
        let address = free_address()?;
        let port = address.port().to_string();
        let mut child = Command::new(&program.path)
            .env_clear()
            .envs(program.settings.iter().cloned())
            .env("FUNCTIONS_HTTPWORKER_PORT", &port)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", &port)
            .current_dir(&program.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        self.starts.fetch_add(1, Ordering::SeqCst);
        *self.id() = child.id();
        self.collect(&mut child);
        let answers = async {
            let url = format!("http://{address}/");
            while client.get(&url).send().await.is_err() {
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::select! {
            ended = child.wait() => return ended,
            answered = tokio::time::timeout(PATIENCE, answers) => {
                answered.map_err(|_| io::Error::other("it does not answer in time"))?;
            }
        }
        self.state.send_if_modified(|state| {
            let starting = *state == State::Starting;
            if starting {
                *state = State::Ready(address);
            }
            starting
        });
        child.wait().await
    }

    fn collect(&self, child: &mut Child) {
        let Some(stderr) = child.stderr.take() else { return };
        let log = Arc::clone(&self.log);
        let mut lines = BufReader::new(stderr).lines();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
    }

    /// Waits until the handler answers, and says where.
    pub(super) async fn ready(&self) -> io::Result<SocketAddr> {
        let mut state = self.state.subscribe();
        let settled = state.wait_for(|state| matches!(state, State::Ready(_) | State::Ended(..)));
        match settled.await.map(|state| state.clone()) {
            Ok(State::Ready(address)) => Ok(address),
            Ok(State::Ended(why, _)) => Err(io::Error::other(format!("{why}: {:#?}", self.log()))),
            _ => Err(io::Error::other("the handler is not there")),
        }
    }

    /// Where the handler answers now.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match *self.state.borrow() {
            State::Ready(address) => Some(address),
            _ => None,
        }
    }

    pub(super) async fn signal(&self, name: &str) -> io::Result<()> {
        let id = self.id().ok_or_else(|| io::Error::other("the handler does not run here"))?;
        let status = Command::new("kill").arg(format!("-{name}")).arg(id.to_string()).status().await?;
        if status.success() { Ok(()) } else { Err(io::Error::other("the handler could not be signalled")) }
    }

    pub(super) async fn stop(&self) -> io::Result<Option<i32>> {
        let mut state = self.state.subscribe();
        self.state.send_replace(State::Stopping);
        self.signal("TERM").await?;
        let ended = state.wait_for(|state| matches!(state, State::Ended(..))).await;
        match ended.map(|state| state.clone()) {
            Ok(State::Ended(_, code)) => Ok(code),
            _ => Err(io::Error::other("the handler is not there")),
        }
    }

    pub(super) fn starts(&self) -> usize {
        self.starts.load(Ordering::SeqCst)
    }

    pub(super) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn id(&self) -> MutexGuard<'_, Option<u32>> {
        self.id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn free_address() -> io::Result<SocketAddr> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
