//! What the stories stand on: the command in a folder of its own, a server, and a server that is none.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use autopgo_core::clock::{Clock, System};
use autopgo_core::health::Checks;
use autopgo_core::host::Host;
use autopgo_core::limits::Limits;
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::memory::bus::{ACK_DEADLINE, MemoryBus};
use autopgo_core::port::cpu::Threads;
use autopgo_core::server::Server;
use autopgo_core::worker::{Options, Worker, pull};
use autopgo_http::process::listen;
use autopgo_http::{Access, Api};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A recorded profile, by its path below the fixtures.
pub(crate) fn profile(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/profiles").join(name)
}

/// A folder in which the command runs, with no variables of ours but those that a test sets.
pub(crate) struct Desk {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), variables: Vec::new() }
    }

    /// One whose commands talk to `url`.
    pub(crate) fn facing(url: &str) -> Self {
        Self::new().with("AUTOPGO_API_URL", url)
    }

    pub(crate) fn with(mut self, variable: &str, value: &str) -> Self {
        self.variables.push((variable.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("written");
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect(name)
    }

    /// The names in the folder.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.path()).expect("listed");
        let mut names: Vec<_> =
            names.map(|name| name.expect("a name").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub(crate) fn command<I: AsRef<std::ffi::OsStr>>(&self, args: &[I]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autopgo"));
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AUTOPGO_"))
        {
            command.env_remove(name);
        }
        command
            .env_remove("HTTP_PROXY")
            .env_remove("http_proxy")
            .env_remove("ALL_PROXY")
            .env_remove("all_proxy");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Runs `autopgo` with `args`.
    pub(crate) fn run<I: AsRef<std::ffi::OsStr>>(&self, args: &[I]) -> Ran {
        Ran(self.command(args).output().expect("it starts"))
    }

    /// The same with `input` on standard input.
    pub(crate) fn pipe<I: AsRef<std::ffi::OsStr>>(&self, input: &[u8], args: &[I]) -> Ran {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_vec();
        let feeding = thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().expect("it ends");
        // It may have refused to read to the end.
        let _ = feeding.join().expect("fed");
        Ran(output)
    }
}

/// A command that has ended.
pub(crate) struct Ran(Output);

impl Ran {
    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().expect("it was not killed")
    }

    pub(crate) fn stdout(&self) -> &[u8] {
        &self.0.stdout
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).expect("text")
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).expect("text")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.0.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.err()))
    }

    /// Insists on exit code 0.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code(), 0, "{}", self.err());
        self
    }

    /// Insists on `code` and on an error that says `says`.
    pub(crate) fn fails(self, code: i32, says: &str) -> Self {
        let text = self.err();
        assert_eq!(self.code(), code, "{text}");
        assert!(text.contains(says), "it does not say {says:?}: {text}");
        assert!(text.contains("error: ") && !text.contains("panicked"), "{text}");
        self
    }
}

/// A server and a worker over memory, until the end of the test.
pub(crate) struct Rig {
    pub(crate) url: String,
    _runtime: tokio::runtime::Runtime,
}

impl Rig {
    pub(crate) fn start() -> Self {
        Self::for_whom(Access::open())
    }

    /// One for those whom `access` lets in.
    pub(crate) fn for_whom(access: Access) -> Self {
        let (router, runtime) = served(access);
        let listener = runtime.block_on(listen::bind(([127, 0, 0, 1], 0).into())).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        runtime.spawn(async move {
            listen::run(listener, router, &Limits::default(), std::future::pending(), Duration::ZERO).await;
        });
        Self { url, _runtime: runtime }
    }

    /// The same behind what `guard` puts in front of the API, which gives the URL where that is.
    #[cfg(any(feature = "aws", feature = "gcp"))]
    pub(crate) fn behind(guard: impl FnOnce(axum::Router) -> String) -> Self {
        let (router, runtime) = served(Access::open());
        Self { url: guard(router), _runtime: runtime }
    }
}

/// The API, and a worker behind it that runs as long as the runtime.
fn served(access: Access) -> (axum::Router, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let clock: Arc<dyn Clock> = Arc::new(System);
    let bus = Arc::new(MemoryBus::new(Arc::clone(&clock), ACK_DEADLINE));
    let blobs = Arc::new(MemoryBlobs::new(Arc::clone(&clock)));
    let host = Host::new(blobs, Arc::clone(&bus) as _, clock, Arc::new(Threads::new(2)), Limits::default());
    let worker = Worker::new(host.clone(), Options::default());
    runtime.spawn(async move { pull(&worker, &*bus, CancellationToken::new()).await });
    (Api::new(Server::new(host), Checks::default(), access).router(), runtime)
}

/// Asks until the answer is yes.
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A server that answers each request with the next of `answers`, whatever was asked, and then refuses.
pub(crate) fn fake(answers: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for answer in answers {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut seen = Vec::new();
            let mut piece = [0; 4096];
            while !seen.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(count) if count > 0 => seen.extend_from_slice(&piece[..count]),
                    _ => break,
                }
            }
            let _ = stream.write_all(&answer);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            // What is still under way is read, or the close would be a reset that overtakes the answer.
            while stream.read(&mut piece).is_ok_and(|count| count > 0) {}
        }
    });
    url
}

/// An answer of `status` with `body`.
pub(crate) fn answer(status: &str, media: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}
