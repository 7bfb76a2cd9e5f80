//! What `file://` promises beyond one process: writers in several, one that is killed, a disk that is full. The other
//! process is this test itself, started again for one part ([`part`]).

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use autopgo_blob::open::{Environment, open};
use autopgo_core::clock::System;
use autopgo_core::error::Kind;
use autopgo_core::port::blobs::{Blobs, Object, When};
use futures_util::TryStreamExt;

const PART: &str = "BLOB_TEST_PART";
const FOLDER: &str = "BLOB_TEST_FOLDER";
const KEY: &str = "app/default.pgo";
const AMPLE: u64 = 64 << 20;

const PROCESSES: u64 = 4;
const INCREMENTS: u64 = 40;

#[tokio::test]
async fn no_increment_is_lost_between_processes() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    store.write(KEY, "0".into(), When::Absent).await.expect("created");
    let mut children: Vec<Child> =
        (0..PROCESSES).map(|_| itself("count", folder.path()).spawn().expect("started")).collect();
    for child in &mut children {
        assert!(child.wait().expect("ended").success());
    }
    assert_eq!(read(&*store).await.bytes, (PROCESSES * INCREMENTS).to_string());
}

async fn count(store: &dyn Blobs) {
    for _ in 0..INCREMENTS {
        loop {
            let object = read(store).await;
            let count: u64 = std::str::from_utf8(&object.bytes).expect("text").parse().expect("a count");
            match store.write(KEY, (count + 1).to_string().into(), When::Is(object.version)).await {
                Ok(_) => break,
                Err(error) => assert_eq!(error.kind(), Kind::Conflict, "{}", error.chain()),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_writer_leaves_the_old_object_or_the_new_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    store.write(KEY, content(0).into(), When::Absent).await.expect("created");
    let (mut last, mut cut_off) = (0, 0);
    for round in 0..25_u64 {
        let mut child = itself("overwrite", folder.path()).stdout(Stdio::piped()).spawn().expect("started");
        let mut answers = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut answered = last;
        let mut listen = |line: Option<std::io::Result<String>>| {
            let line = line?.expect("readable");
            // The first line of libtest's own ends with no number.
            if let Some(number) = line.rsplit(' ').next().and_then(|word| word.parse().ok()) {
                answered = number;
            }
            Some(answered > last)
        };
        while listen(answers.next()) == Some(false) {}
        // Another moment of a write each round.
        std::thread::sleep(Duration::from_micros(round * 977 % 7000));
        child.kill().expect("killed");
        while listen(answers.next()).is_some() {}
        child.wait().expect("ended");

        let object =
            tokio::time::timeout(Duration::from_secs(20), read(&*store)).await.expect("no lock is left");
        let number = number(&object.bytes);
        assert!(object.bytes == content(number), "{} bytes of write {number} are torn", object.bytes.len());
        assert!(
            number == answered || number == answered + 1,
            "write {answered} was answered, and write {number} is there"
        );
        let listed: Vec<_> = store.list("", None).try_collect().await.expect("listed");
        assert_eq!(listed.len(), 1, "{listed:?}");
        last = number + 1;
        let write = store.write(KEY, content(last).into(), When::Is(object.version));
        tokio::time::timeout(Duration::from_secs(20), write)
            .await
            .expect("no lock is left")
            .expect("written");
        let drafts = std::fs::read_dir(folder.path().join("app")).expect("read").count() - 1;
        cut_off = cut_off.max(drafts);
    }
    assert!(cut_off > 0, "no writer was killed while it wrote");
}

async fn overwrite(store: &dyn Blobs) {
    let mut object = read(store).await;
    for next in number(&object.bytes) + 1.. {
        // In turn by compare-and-swap and without.
        let when = if next % 2 == 0 { When::Always } else { When::Is(object.version) };
        object.version = store.write(KEY, content(next).into(), when).await.expect("written");
        println!("written {next}");
    }
}

/// A number, then a body whose length and bytes follow from it.
fn content(number: u64) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(8 + usize::try_from(number * 7919 % 900_000).expect("small"), number.to_le_bytes()[0]);
    bytes
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().expect("a number"))
}

/// On a disk of two megabytes, mounted for that one process.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_old_object() {
    let folder = tempfile::tempdir().expect("a folder");
    let shell = || {
        let mut shell = Command::new("unshare");
        shell.args(["--map-root-user", "--mount", "sh"]);
        shell
    };
    let mount = r#"mount -t tmpfs -o size=2m tmpfs "$0""#;
    let probe = shell().args(["-c", mount]).arg(folder.path()).output();
    if !probe.as_ref().is_ok_and(|probe| probe.status.success()) {
        return skip("a_full_disk_leaves_the_old_object", &format!("no disk can be mounted here: {probe:?}"));
    }
    let script = format!(r#"{mount} && exec "$@""#);
    let ended = itself_in(shell(), &script, "fill", folder.path()).status();
    assert!(ended.expect("started").success());
}

async fn fill(store: &dyn Blobs, folder: &Path) {
    let old = store.write(KEY, content(1).into(), When::Absent).await.expect("room");
    let mut fillers = Vec::new();
    let full = loop {
        let key = format!("app/staging/{}", fillers.len());
        match store.write(&key, vec![7; 100_000].into(), When::Absent).await {
            Ok(_) => fillers.push(key),
            Err(error) => break error,
        }
    };
    assert!((15..=20).contains(&fillers.len()), "{} objects fit", fillers.len());
    assert_eq!(full.kind(), Kind::Unavailable, "{}", full.chain());
    assert!(full.what().contains("the disk is full; free some space"), "{}", full.chain());
    for when in [When::Always, When::Is(old.clone())] {
        let error = store.write(KEY, vec![8; 200_000].into(), when).await.expect_err("full");
        assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    }
    let error = store.copy(&fillers[0], "app/rejected/1").await.expect_err("full");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    unharmed(store, folder, fillers.len() + 1).await;

    // There is a way out of it.
    for key in &fillers {
        store.delete(key).await.expect("deleting takes no room");
    }
    store.write(KEY, vec![8; 200_000].into(), When::Is(old)).await.expect("room");
}

/// Under `ulimit -f`, which stops a write in its middle on every Unix.
#[cfg(unix)]
#[test]
fn a_limit_on_files_leaves_the_old_object() {
    let folder = tempfile::tempdir().expect("a folder");
    // A process that does not ignore the signal is ended by it, and leaves a draft.
    let script = r#"trap "" XFSZ; ulimit -f 1000; exec "$@""#;
    let ended = itself_in(Command::new("sh"), script, "limited", folder.path()).status();
    assert!(ended.expect("started").success());
}

async fn limited(store: &dyn Blobs, folder: &Path) {
    let old = store.write(KEY, content(1).into(), When::Absent).await.expect("small");
    for when in [When::Always, When::Is(old)] {
        let error = store.write(KEY, vec![8; 2 << 20].into(), when).await.expect_err("too large");
        assert_eq!(error.kind(), Kind::TooLarge, "{}", error.chain());
    }
    unharmed(store, folder, 1).await;
}

/// The old object is as it was, there are this many, and nothing half done lies around.
async fn unharmed(store: &dyn Blobs, folder: &Path, objects: usize) {
    assert!(read(store).await.bytes == content(1));
    let listed: Vec<_> = store.list("", None).try_collect().await.expect("listed");
    assert_eq!(listed.len(), objects);
    let mut folders = vec![folder.join("app")];
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).expect("read").map(|file| file.expect("read")) {
            assert!(!file.file_name().to_string_lossy().starts_with('.'), "{:?} is left", file.path());
            folders.extend(file.path().is_dir().then(|| file.path()));
        }
    }
}

/// What another process does in the tests above.
#[tokio::test]
#[ignore = "started by the other tests, as another process"]
async fn part() {
    let Ok(part) = std::env::var(PART) else { return };
    let folder = std::env::var_os(FOLDER).expect("a folder");
    let (folder, store) = (Path::new(&folder), store(Path::new(&folder)).await);
    match part.as_str() {
        "count" => count(&*store).await,
        "overwrite" => overwrite(&*store).await,
        "fill" => fill(&*store, folder).await,
        "limited" => limited(&*store, folder).await,
        other => panic!("no part {other}"),
    }
}

/// This test, to be started for `part` on the store in `folder`.
fn itself(part: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this file"));
    command.args(["part", "--exact", "--ignored", "--nocapture"]).env(PART, part).env(FOLDER, folder);
    // What libtest says of it would be taken for news of a test.
    command.stdout(Stdio::null());
    command
}

/// `part` in a shell's `script`, which ends in `exec "$@"`; `$0` is the folder.
#[cfg(unix)]
fn itself_in(mut shell: Command, script: &str, part: &str, folder: &Path) -> Command {
    let itself = itself(part, folder);
    shell.args(["-c", script]).arg(folder).arg(itself.get_program()).args(itself.get_args());
    shell.envs(itself.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.stdout(Stdio::null());
    shell
}

async fn store(folder: &Path) -> Arc<dyn Blobs> {
    let url = format!("file://{}", folder.display());
    open(&url, &Environment::new(Arc::new(System))).await.expect("opened")
}

async fn read(store: &dyn Blobs) -> Object {
    store.read(KEY, AMPLE).await.expect("readable").expect("there")
}

/// Says aloud, past libtest's capture, that a test did nothing. Where that is not to be, it fails.
fn skip(test: &str, reason: &str) {
    writeln!(std::io::stderr(), "skipped: {test}: {reason}").expect("said");
    assert!(std::env::var_os("AUTOPGO_TEST_REQUIRE").is_none(), "{test} was skipped: {reason}");
}
