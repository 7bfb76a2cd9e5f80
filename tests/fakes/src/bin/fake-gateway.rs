//! Serves [`autopgo_fakes::gateway`] until it is stopped, for clients in other languages.
//!
//! `fake-gateway FOLDER` says on standard output where it listens: at a stage, `/prod`, for `execute-api/eu-central-1`.
//! Its keys are in `keys.json` in the folder, those of a session too. What it lets through is answered by the length of
//! its body.

use std::io::{self, Write};
use std::path::PathBuf;

use autopgo_fakes::gateway::{Gateway, Keys, Scope};
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use serde_json::json;
use uuid::Uuid;

fn main() -> io::Result<()> {
    let usage = || io::Error::new(io::ErrorKind::InvalidInput, "usage: fake-gateway FOLDER");
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or_else(usage)?);
    let word = || Uuid::new_v4().simple().to_string();
    let lasting = Keys { id: word(), secret: format!("{}/+=", word()), token: None };
    let session = Keys { id: word(), secret: word(), token: Some(format!("{}//{}==", word(), word())) };
    let shown = |keys: &Keys| json!({"id": keys.id, "secret": keys.secret, "token": keys.token});
    std::fs::write(folder.join("keys.json"), json!([shown(&lasting), shown(&session)]).to_string())?;
    let api = Router::new().fallback(|body: Bytes| async move { body.len().to_string() });
    // How large a body may be is for the gateway to say.
    let api = api.layer(DefaultBodyLimit::disable());
    let scope = Scope { service: "execute-api".into(), region: "eu-central-1".into() };
    let gateway = Gateway::start(api, "/prod", scope, vec![lasting, session])?;
    writeln!(io::stdout(), "{}", gateway.url())?;
    io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}
