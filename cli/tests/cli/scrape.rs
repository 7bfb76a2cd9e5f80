//! The scraper as a command: from a target to the server, and a clean end.
#![cfg(feature = "scrape")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::rig::{Desk, Rig, answer, eventually, fake, profile};

#[test]
fn a_target_is_scraped_until_the_scraper_is_stopped() {
    let rig = Rig::start();
    let recorded = std::fs::read(profile("hello-app/a-3.pprof")).expect("a profile");
    let target = fake(vec![answer("200 OK", "application/octet-stream", &recorded); 50]);
    let desk = Desk::facing(&rig.url);
    desk.write(
        "config.json",
        format!("[\n  // One of many.\n  {{\"address\": \"{target}\"}},\n]").as_bytes(),
    );
    let port = TcpListener::bind("[::]:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let port = port.to_string();
    let args = ["scrape", "config.json", "-s", "5", "-a", "scraped", "-d", "1s", "-f", "1s", "-p", &port];
    let child = desk.command(&args).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut child = Running(child);
    eventually("a scraped profile is merged", || {
        desk.run(&["download", "scraped", "--allow-missing"]).code() == 0 && desk.path("default.pgo").exists()
    });
    let signalled =
        Command::new("kill").args(["-TERM", &child.0.id().to_string()]).status().expect("it starts");
    assert!(signalled.success());
    let mut code = None;
    eventually("the scraper ends", || {
        code = child.0.try_wait().expect("its state").map(|status| status.code());
        code.is_some()
    });
    assert_eq!(code, Some(Some(0)));
}

#[test]
fn what_cannot_work_is_said_at_the_start() {
    let desk = Desk::new();
    desk.write("torn.json", b"[\n  {\"address\": ]");
    desk.write("nameless.json", br#"[{"address": "http://localhost:1"}]"#);
    for (args, code, says) in [
        (vec!["scrape", "-s", "1"], 2, "needs a config file"),
        (vec!["scrape", "torn.json", "-s", "1", "-a", "x"], 1, "torn.json:2:"),
        (vec!["scrape", "nameless.json", "-s", "1"], 1, "app"),
        (vec!["scrape", "-s", "1", "-m", "consul"], 1, "does not have mode consul yet"),
        (
            vec!["scrape", "-s", "1", "-m", "swarm"],
            2,
            "possible values: file, http, dns, kube, consul, nomad",
        ),
    ] {
        desk.run(&args).fails(code, says);
    }
}

/// A child that is ended with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
