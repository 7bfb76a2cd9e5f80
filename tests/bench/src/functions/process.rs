//! A function's program, started as the platform does it: with nothing in its environment but what it is given.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use autopgo_e2e::{facts, skip};
use autopgo_fakes::lambda::{Fake, Invoked};
use bytes::Bytes;
use tokio::process::{Child, Command};

use crate::error::Error;

/// No answer takes so long unless something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The variables that a deployment gives it.
pub(super) struct Setting(Vec<(&'static str, String)>);

impl Setting {
    /// Over the store at this URL, whose credentials are those of `tests/services`, and a topic of SNS at this address;
    /// `None` where there are no credentials.
    pub(super) fn new(store: &str, topic: SocketAddr) -> Option<Self> {
        let of_minio = |what: &str| skip::variable("minio", &format!("AUTOPGO_TEST_MINIO_{what}"));
        // A function has its credentials in the environment, not in a file.
        let store = store.replace("&profile=minio", "");
        let topic = format!(
            "awssns:///arn:aws:sns:us-east-1:123456789012:pgo?region=us-east-1&endpoint=http://{topic}"
        );
        Some(Self(vec![
            ("AUTOPGO_BLOB_STORE_URL", store),
            ("AUTOPGO_EVENT_WRITER_URL", topic),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", of_minio("KEY")?),
            ("AWS_SECRET_ACCESS_KEY", of_minio("SECRET")?),
        ]))
    }
}

/// One environment of it, which ends when this is dropped.
pub(super) struct Process {
    api: Fake,
    child: Child,
}

impl Process {
    pub(super) fn start(program: &Path, setting: &Setting) -> Result<Self, Error> {
        let not_started = |source| Error::Start { program: program.to_path_buf(), source };
        let api = Fake::start().map_err(not_started)?;
        let mut command = Command::new(program);
        command.env_clear().envs(api.variables()).envs(setting.0.iter().map(|(name, value)| (name, value)));
        // What it logs is written, as there, and read by nobody.
        command.kill_on_drop(true).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(not_started)?;
        Ok(Self { api, child })
    }

    /// Has it answer this event.
    pub(super) async fn ask(&self, event: &Bytes) -> Result<Invoked, Error> {
        Ok(self.api.invoke(event.clone(), PATIENCE).await)
    }

    /// The memory that it holds now, in bytes.
    pub(super) fn memory(&self) -> Result<u64, Error> {
        self.child.id().and_then(facts::memory).ok_or(Error::NoPeak)
    }
}
