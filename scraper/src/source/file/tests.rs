//! Reading again: on a change, on SIGHUP, and not at all while nothing happens.

use std::fs;

use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// A config file, watched.
struct Watched {
    folder: tempfile::TempDir,
    source: std::sync::Arc<File>,
    targets: watch::Receiver<Targets>,
    task: tokio::task::JoinHandle<()>,
}

impl Watched {
    async fn start(look_every: Duration, text: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        fs::write(folder.path().join("scrape.json"), text).expect("written");
        let mut source =
            File::open(&folder.path().join("scrape.json"), App::parse("all").ok()).await.expect("good");
        source.look_every = look_every;
        let (source, (sender, mut targets)) =
            (std::sync::Arc::new(source), watch::channel(Targets::default()));
        let watching = std::sync::Arc::clone(&source);
        let task = tokio::spawn(async move { watching.watch(sender).await });
        timeout(PATIENCE, targets.changed()).await.expect("in time").expect("a set");
        Self { folder, source, targets, task }
    }

    fn write(&self, text: &str) {
        // As editors and `kubectl` do it: never half a file.
        let (new, path) = (self.folder.path().join("new"), self.folder.path().join("scrape.json"));
        fs::write(&new, text).and_then(|()| fs::rename(new, path)).expect("written");
    }

    fn now(&mut self) -> Vec<String> {
        self.targets.borrow_and_update().iter().map(ToString::to_string).collect()
    }

    async fn changed(&mut self) -> Vec<String> {
        timeout(PATIENCE, self.targets.changed()).await.expect("in time").expect("a set");
        self.now()
    }

    async fn health(&self, healthy: bool) {
        let agrees = async {
            while self.source.check().await.is_ok() != healthy {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, agrees).await.expect("in time");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn a_change_is_taken_and_a_broken_one_is_not() {
    let mut watched = Watched::start(Duration::from_millis(5), r#"[{"address": "http://a"}]"#).await;
    assert_eq!(watched.now(), ["http://a/debug/pprof/profile"]);
    watched.health(true).await;

    watched.write(r#"[{"address": "http://b", "path": "/x"}]"#);
    assert_eq!(watched.changed().await, ["http://b/x"]);

    watched.write(r#"[{"address": "b"}]"#);
    watched.health(false).await;
    assert_eq!(watched.now(), ["http://b/x"]);
    let error = watched.source.check().await.expect_err("broken");
    assert!(
        error.what().contains("the 1 targets before it stay") && !error.what().contains("scrape.json"),
        "{error}"
    );
    assert!(
        error.chain().contains("scrape.json:1:14: the address \"b\" has no http://"),
        "{}",
        error.chain()
    );

    fs::remove_file(watched.folder.path().join("scrape.json")).expect("removed");
    let gone = async {
        while !watched
            .source
            .check()
            .await
            .is_err_and(|error| error.chain().contains("reading the config file"))
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("in time");
    assert_eq!(watched.now(), ["http://b/x"]);

    watched.write("[]");
    assert_eq!(watched.changed().await, Vec::<String>::new());
    watched.health(true).await;
}

#[cfg(unix)]
#[tokio::test]
async fn sighup_reads_again() {
    // So rare a look that only the signal can be the cause.
    let mut watched = Watched::start(Duration::from_secs(3600), r#"[{"address": "http://a"}]"#).await;
    watched.write(r#"[{"address": "http://b"}]"#);
    let kill = || std::process::Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status();
    assert!(kill().expect("kill runs").success());
    assert_eq!(watched.changed().await, ["http://b/debug/pprof/profile"]);
    // A file that did not change is read again, too: who sends the signal wants to see that it was heard.
    assert!(kill().expect("kill runs").success());
    assert_eq!(watched.changed().await, ["http://b/debug/pprof/profile"]);
}

#[tokio::test]
async fn what_cannot_be_opened() {
    let folder = tempfile::tempdir().expect("folder");
    let open = async |path: &Path| File::open(path, None).await.err().expect("refused");
    let error = open(&folder.path().join("missing.json")).await;
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(
        error.chain().contains("missing.json: ") && error.chain().contains("os error 2"),
        "{}",
        error.chain()
    );
    assert_eq!(open(folder.path()).await.kind(), Kind::Invalid);
    let large = folder.path().join("large.json");
    fs::File::create(&large).and_then(|file| file.set_len(LARGEST + 1)).expect("a large file");
    assert_eq!(open(&large).await.kind(), Kind::TooLarge);
    let broken = folder.path().join("broken.json");
    fs::write(&broken, "[{").expect("written");
    assert_eq!(open(&broken).await.kind(), Kind::Invalid);
}
