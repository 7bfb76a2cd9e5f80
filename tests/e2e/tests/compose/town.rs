//! The programs of the compose file, each told what the file tells it, but for where the others are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use autopgo_e2e::paths::root;
use autopgo_e2e::process::{Running, autopgo, call, free_address};
use autopgo_e2e::wait;
use aws_config::BehaviorVersion;
use aws_sdk_s3::config::{Credentials, Region};
use axum::Router;
use tempfile::TempDir;

use crate::file::{Compose, dot_env};

/// The application of the targets that the file's scraper has.
pub(crate) const SAMPLED: &str = "checkout";

pub(crate) struct Town {
    compose: Compose,
    secrets: BTreeMap<String, String>,
    folder: TempDir,
    minio: String,
    nats: SocketAddr,
    _nats: tokio::process::Child,
}

impl Town {
    /// With a bucket and its user on `minio` (a URL), made by `mc`, and a `nats` that was started.
    pub(crate) async fn start(minio: &str, mc: &str, nats: &str) -> Self {
        let compose = Compose::read();
        let folder = tempfile::tempdir().expect("a folder");
        let made = call(root().join("infra/compose/secrets"), &[folder.path().to_str().expect("UTF-8")]);
        let made = { made }.output().expect("it starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let secrets = dot_env(&folder.path().join(".env"));
        let minio = minio.trim_start_matches("http://").to_owned();
        // Twice: after a restart it is all there.
        for _ in 0..2 {
            store(&compose, &secrets, folder.path(), &minio, mc);
        }
        let (nats, child) = bus(&compose, &secrets, folder.path(), nats).await;
        Self { compose, secrets, folder, minio, nats, _nats: child }
    }

    /// Where the secrets are, and room.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What must be in no log.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let secrets = self.secrets.iter().filter(|(name, _)| !name.starts_with("AUTOPGO_"));
        secrets.map(|(_, value)| value.as_str())
    }

    /// Runs a service of ours, until its own health check is content.
    pub(crate) async fn run(&self, name: &str) -> Running {
        let command = self.compose.command(name);
        self.start_with(name, &command, &[]).await
    }

    /// Runs the scraper beside `server`. Its target gives `profile`.
    pub(crate) async fn scraper(&self, server: &Running, profile: &Path) -> Running {
        let bytes = std::fs::read(profile).expect("a profile");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let there = listener.local_addr().expect("an address").to_string();
        let target = Router::new().fallback(move || async move { bytes });
        tokio::spawn(async move { axum::serve(listener, target).await });
        let mut command = self.compose.command("scraper");
        let list = command.pop().expect("a list of targets");
        let list = std::fs::read_to_string(self.compose.outside("scraper", &list)).expect("a list");
        assert!(list.contains("host.docker.internal:6060") && list.contains(SAMPLED), "{list}");
        let file = self.folder().join("targets.json");
        std::fs::write(&file, list.replace("host.docker.internal:6060", &there)).expect("written");
        command.push(file.display().to_string());
        self.start_with("scraper", &command, &[("http://server:8080", &server.url)]).await
    }

    async fn start_with(&self, name: &str, command: &[String], moved: &[(&str, &str)]) -> Running {
        let address = free_address();
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let mut command = autopgo(&words);
        let nats = self.nats.to_string();
        for (variable, value) in self.compose.environment(name, &self.secrets) {
            let mut value = value.replace("minio:9000", &self.minio).replace("nats:4222", &nats);
            for (from, to) in moved {
                value = value.replace(from, to);
            }
            command.env(variable, value);
        }
        // Nothing of whoever runs the tests: the file has it all.
        command.env_remove("AWS_SHARED_CREDENTIALS_FILE").env_remove("AWS_CONFIG_FILE");
        command.env("AUTOPGO_PORT", address.port().to_string());
        let running = Running::start(command, address).await;
        let health = self.compose.health(name).replace("127.0.0.1:8080", &address.to_string());
        wait::until(&format!("{name} is healthy"), async || {
            reqwest::get(&health).await.ok()?.error_for_status().ok()
        })
        .await;
        running
    }

    /// The user that the services have may neither see nor make other buckets, nor change this one.
    pub(crate) async fn user_may_do_nothing_else(&self) {
        let environment = self.compose.environment("server", &self.secrets);
        let (key, secret) = (&environment["AWS_ACCESS_KEY_ID"], &environment["AWS_SECRET_ACCESS_KEY"]);
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(format!("http://{}", self.minio))
            .credentials_provider(Credentials::new(key, secret, None, None, "compose"))
            .load()
            .await;
        let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let client = aws_sdk_s3::Client::from_conf(config);
        assert!(client.list_objects_v2().bucket("autopgo").send().await.is_ok(), "its own bucket");
        assert!(client.create_bucket().bucket("another").send().await.is_err());
        assert!(client.delete_bucket().bucket("autopgo").send().await.is_err());
        assert!(client.get_bucket_policy().bucket("autopgo").send().await.is_err_and(|error| {
            let error = error.into_service_error();
            error.meta().code() == Some("AccessDenied")
        }));
    }
}

/// What the service `store` does, as MinIO's own administrator.
fn store(compose: &Compose, secrets: &BTreeMap<String, String>, folder: &Path, minio: &str, mc: &str) {
    let of =
        |part: &str| std::env::var(format!("AUTOPGO_TEST_MINIO_{part}")).expect("tests/services sets it");
    let mut command = call("sh", &[]);
    command.arg(compose.outside("store", "/etc/autopgo/store"));
    for (name, value) in compose.environment("store", secrets) {
        let admin = format!("autopgo-admin:{}@minio:9000", secrets["STORE_ADMIN_SECRET"]);
        command.env(name, value.replace(&admin, &format!("{}:{}@{minio}", of("KEY"), of("SECRET"))));
    }
    let tools = Path::new(mc).parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([tools].into_iter().chain(std::env::split_paths(&path))).expect("a path");
    command.env("PATH", path).env("MC_CONFIG_DIR", folder.join("mc"));
    command.env("POLICY", compose.outside("store", "/etc/autopgo/policy.json"));
    let made = command.output().expect("sh runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&[made.stdout, made.stderr].concat()));
}

/// The service `nats`, on loopback and with a folder of its own. Gives where it is.
async fn bus(
    compose: &Compose,
    secrets: &BTreeMap<String, String>,
    folder: &Path,
    nats: &str,
) -> (SocketAddr, tokio::process::Child) {
    let (address, watched) = (free_address(), free_address());
    let config = compose.outside("nats", "/etc/nats/autopgo.conf").display().to_string();
    let data = folder.join("nats").display().to_string();
    let told = compose.command("nats").into_iter().map(|word| match word.as_str() {
        "/etc/nats/autopgo.conf" => config.clone(),
        "/data" => data.clone(),
        _ => word,
    });
    let mut command = call(nats, &[]);
    command.args(told).args(["--addr", "127.0.0.1", "--port", &address.port().to_string()]);
    command.args(["--http_port", &watched.port().to_string()]);
    command.envs(compose.environment("nats", secrets)).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child =
        tokio::process::Command::from(command).kill_on_drop(true).spawn().expect("nats-server starts");
    let health = compose.health("nats").replace("127.0.0.1:8222", &watched.to_string());
    wait::until("NATS is healthy", async || {
        if let Ok(Some(status)) = child.try_wait() {
            panic!("nats-server ended with {status}");
        }
        reqwest::get(&health).await.ok()?.error_for_status().ok()
    })
    .await;
    (address, child)
}
