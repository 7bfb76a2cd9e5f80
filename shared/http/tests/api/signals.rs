//! Signals, in a process of their own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use autopgo_http::process::shutdown::on_signal;

use crate::alone;
use crate::world::PATIENCE;

#[test]
fn the_first_signal_asks_and_the_second_does_not() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut child =
            Ended(alone("signals::wait").stdout(Stdio::piped()).spawn().expect("this program runs"));
        let mut said = BufReader::new(child.0.stdout.take().expect("piped")).lines().map_while(Result::ok);
        assert!(said.any(|line| line.contains("waiting")));
        child.send(signal);
        assert!(said.any(|line| line.contains("asked to stop")));
        assert!(child.0.try_wait().expect("ours").is_none(), "the first only asks");
        child.send(signal);
        assert_eq!(child.0.wait().expect("ours").code(), Some(code), "{signal}");
    }
}

#[tokio::test]
#[ignore = "run by the_first_signal_asks_and_the_second_does_not in a process of its own"]
async fn wait() {
    let stop = on_signal().expect("signals can be caught");
    println!("waiting");
    std::io::stdout().flush().expect("standard output");
    stop.cancelled().await;
    println!("asked to stop");
    std::io::stdout().flush().expect("standard output");
    // Ends by the second signal, or with a failure.
    tokio::time::timeout(PATIENCE, std::future::pending::<()>()).await.expect("no second signal came");
}

/// A child that does not outlive the test.
struct Ended(Child);

impl Ended {
    fn send(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.0.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        // It has ended already where the test passed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
