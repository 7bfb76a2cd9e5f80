//! Serves [`autopgo_fakes::google`] until it is stopped, for clients in other languages.
//!
//! `fake-google FOLDER` says on standard output where the metadata server listens. In the folder it writes
//! `impersonated.json`, a file of Application Default Credentials, and `service`, the URL of a Cloud Run service that says
//! what headers it was called with.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use autopgo_fakes::google::{Google, MACHINE};
use axum::Router;
use axum::http::HeaderMap;

const OTHER: &str = "other@fake.iam.gserviceaccount.com";

fn main() -> io::Result<()> {
    let usage = || io::Error::new(io::ErrorKind::InvalidInput, "usage: fake-google FOLDER");
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or_else(usage)?);
    let google = Google::start(Duration::from_secs(3600))?;
    let said = |headers: HeaderMap| async move {
        let text =
            |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("none").to_owned();
        format!("{}\n{}", text("authorization"), text("x-serverless-authorization"))
    };
    let service =
        google.cloud_run(Router::new().fallback(said), &[MACHINE, OTHER], &["https://pgo.example.com"])?;
    std::fs::write(folder.join("impersonated.json"), google.impersonating(OTHER).to_string())?;
    std::fs::write(folder.join("service"), service.url())?;
    writeln!(io::stdout(), "http://{}", google.host())?;
    io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}
