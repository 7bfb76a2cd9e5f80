//! Serves [`autopgo_fakes::servicebus`] until it is stopped, for other processes.
//!
//! `fake-servicebus FOLDER [PORT]` writes into the folder a file for each rule, `manager`, `sender` and `listener`, with the
//! connection string in it, and says on standard output where it listens. It has one topic, `topic`, to begin with, with the
//! subscriptions `worker`, `brief` and `passing`; the locks of the second last 2 s, and it delivers a message twice at the
//! most.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use autopgo_fakes::servicebus::{Fake, Setup};

fn main() -> io::Result<()> {
    let mut args = std::env::args_os().skip(1);
    let usage = || io::Error::new(io::ErrorKind::InvalidInput, "usage: fake-servicebus FOLDER [PORT]");
    let folder = PathBuf::from(args.next().ok_or_else(usage)?);
    let port = match args.next() {
        Some(port) => port.to_str().and_then(|port| port.parse().ok()).ok_or_else(usage)?,
        None => 0,
    };
    let fake = Fake::start_on(port)?;
    fake.make("topic", "worker", Setup { deliveries: 2000, ..Setup::default() });
    fake.make("topic", "brief", Setup { lock: Duration::from_secs(2), deliveries: 2 });
    fake.make("topic", "passing", Setup::default());
    for rule in ["manager", "sender", "listener"] {
        std::fs::write(folder.join(rule), fake.connection_string(rule))?;
    }
    writeln!(io::stdout(), "http://{}", fake.address())?;
    io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}
