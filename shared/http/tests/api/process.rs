//! What only a whole process shows: signals, and a panic in its log.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use autopgo_http::process::logging::{self, Format, Level};
use autopgo_http::process::shutdown::on_signal;

use crate::world::PATIENCE;

/// Tells a test that it is the child of itself.
const CHILD: &str = "AUTOPGO_TEST_CHILD";

/// The test `name` of this program, to be run as a child.
fn this(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", &format!("process::{name}"), "--nocapture"]).env(CHILD, "1");
    command
}

#[test]
fn the_first_signal_asks_and_the_second_does_not() {
    if std::env::var_os(CHILD).is_some() {
        return wait();
    }
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut command = this("the_first_signal_asks_and_the_second_does_not");
        let mut child = Ended(command.stdout(Stdio::piped()).spawn().expect("this program runs"));
        let mut said = BufReader::new(child.0.stdout.take().expect("piped")).lines().map_while(Result::ok);
        assert!(said.any(|line| line.contains("waiting")));
        child.send(signal);
        assert!(said.any(|line| line.contains("asked to stop")));
        assert!(child.0.try_wait().expect("ours").is_none(), "the first only asks");
        child.send(signal);
        assert_eq!(child.0.wait().expect("ours").code(), Some(code), "{signal}");
    }
}

#[tokio::main(flavor = "current_thread")]
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

#[test]
fn a_panic_is_a_line_of_the_log() {
    if std::env::var_os(CHILD).is_some() {
        logging::init(Level::Info, Format::Json).expect("the first log of this process");
        assert!(logging::init(Level::Info, Format::Json).is_err(), "there is one log");
        assert!(std::thread::spawn(|| panic!("two\nlines")).join().is_err());
        return;
    }
    let done = this("a_panic_is_a_line_of_the_log").output().expect("this program runs");
    let said = String::from_utf8(done.stderr).expect("text");
    assert!(done.status.success(), "{said}");
    let line: serde_json::Value = serde_json::from_str(&said).expect("one line of JSON");
    assert_eq!(
        (&line["level"], &line["message"]),
        (&"ERROR".into(), &"a panic, which is a bug: two\nlines".into())
    );
    assert!(line["at"].as_str().is_some_and(|at| at.contains("process.rs:")), "{line}");
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
