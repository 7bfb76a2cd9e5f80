//! Serves [`autopgo_fakes::gcs`] until it is stopped, for clients in other languages.
//!
//! `fake-gcs FOLDER [PORT]` writes `account.json` into the folder, a key file that is good here, and `stranger.json`, one
//! that is not, and says on standard output where it listens. It has one bucket, `bucket`, to begin with.

use std::io::{self, Write};
use std::path::PathBuf;

use autopgo_fakes::gcs::Fake;

fn main() -> io::Result<()> {
    let mut args = std::env::args_os().skip(1);
    let usage = || io::Error::new(io::ErrorKind::InvalidInput, "usage: fake-gcs FOLDER [PORT]");
    let folder = PathBuf::from(args.next().ok_or_else(usage)?);
    let port = match args.next() {
        Some(port) => port.to_str().and_then(|port| port.parse().ok()).ok_or_else(usage)?,
        None => 0,
    };
    let fake = Fake::start_on(port)?;
    fake.make("bucket");
    for (name, account) in [("account", fake.account()), ("stranger", &fake.stranger()?)] {
        std::fs::write(folder.join(name).with_extension("json"), account.credentials().to_string())?;
    }
    writeln!(io::stdout(), "http://{}", fake.address())?;
    io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}
