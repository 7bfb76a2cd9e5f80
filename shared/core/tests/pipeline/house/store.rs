//! A store in memory that follows a script: which calls fail, and how, and what somebody else does just before them. It
//! keeps a record of every call. Its versions count the writes of one key, as a store's may: two keys have the same.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::clock::Clock;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::{self, BoxStream, StreamExt};

/// A method of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Read,
    Stat,
    Write,
    Copy,
    Delete,
    List,
}

/// A store that follows a script.
pub(crate) struct Scripted {
    clock: Arc<dyn Clock>,
    signs: AtomicBool,
    memory: MemoryBlobs,
    script: Mutex<Vec<Line>>,
    slow: Mutex<Vec<(Op, String, Duration)>>,
    slow_answers: Mutex<Vec<(Op, String, Duration)>>,
    calls: Mutex<Vec<Call>>,
    versions: Mutex<BTreeMap<String, Vec<Version>>>,
}

/// What happens to the next calls of `op` whose key has `part` in it.
struct Line {
    op: Op,
    part: String,
    times: usize,
    then: Then,
}

#[derive(Clone)]
enum Then {
    Fail(Kind),
    Land(Kind),
    Do(Arc<dyn Fn(&MemoryBlobs) + Send + Sync>),
}

struct Call {
    op: Op,
    key: String,
    bytes: usize,
}

impl Scripted {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            memory: MemoryBlobs::new(Arc::clone(&clock)),
            clock,
            signs: AtomicBool::new(true),
            script: Mutex::default(),
            slow: Mutex::default(),
            slow_answers: Mutex::default(),
            calls: Mutex::default(),
            versions: Mutex::default(),
        }
    }

    /// The next `times` calls of `op` with `part` in their key fail and do nothing.
    pub(crate) fn fail(&self, op: Op, part: &str, times: usize, kind: Kind) {
        self.add(op, part, times, Then::Fail(kind));
    }

    /// The next writes land, but whoever wrote is told of a failure.
    pub(crate) fn lose_answers(&self, part: &str, times: usize, kind: Kind) {
        self.add(Op::Write, part, times, Then::Land(kind));
    }

    /// Just before the next calls somebody else does something.
    pub(crate) fn before(
        &self,
        op: Op,
        part: &str,
        times: usize,
        act: impl Fn(&MemoryBlobs) + Send + Sync + 'static,
    ) {
        self.add(op, part, times, Then::Do(Arc::new(act)));
    }

    /// From now on every `op` but a listing, with `part` in its key, takes this long before it begins.
    pub(crate) fn slow_down(&self, op: Op, part: &str, by: Duration) {
        lock(&self.slow).push((op, part.to_owned(), by));
    }

    /// From now on every write with `part` in its key lands at once, and takes this long to be answered.
    pub(crate) fn answer_late(&self, part: &str, by: Duration) {
        lock(&self.slow_answers).push((Op::Write, part.to_owned(), by));
    }

    async fn linger(&self, slow: &Mutex<Vec<(Op, String, Duration)>>, op: Op, key: &str) {
        let by = {
            let slow = lock(slow);
            slow.iter().find(|(slow, part, _)| *slow == op && key.contains(part)).map(|(.., by)| *by)
        };
        if let Some(by) = by {
            self.clock.sleep(by).await;
        }
    }

    fn add(&self, op: Op, part: &str, times: usize, then: Then) {
        lock(&self.script).push(Line { op, part: part.to_owned(), times, then });
    }

    /// From now on this store signs nothing.
    pub(crate) fn sign_nothing(&self) {
        self.signs.store(false, Ordering::Relaxed);
    }

    fn signed(&self, method: &str, key: &str, lasts: Duration) -> Option<Signed> {
        let headers = vec![("x-method".to_owned(), method.to_owned())];
        let signed = Signed { url: format!("store:/{key}"), headers, expires: self.clock.now() + lasts };
        self.signs.load(Ordering::Relaxed).then_some(signed)
    }

    /// From now on nothing fails or is slow.
    pub(crate) fn heal(&self) {
        lock(&self.script).clear();
        lock(&self.slow).clear();
        lock(&self.slow_answers).clear();
    }

    /// How many calls there were of `op` with `part` in their key, since the record was last cleared.
    pub(crate) fn calls(&self, op: Op, part: &str) -> usize {
        lock(&self.calls).iter().filter(|call| call.op == op && call.key.contains(part)).count()
    }

    /// How many bytes went through the process: read from keys with `part` in them, or written there.
    pub(crate) fn carried(&self, part: &str) -> usize {
        lock(&self.calls).iter().filter(|call| call.key.contains(part)).map(|call| call.bytes).sum()
    }

    /// Clears the record.
    pub(crate) fn forget(&self) {
        lock(&self.calls).clear();
    }

    /// Puts `bytes` there, past the script and the record.
    pub(crate) fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        put(&self.memory, key, bytes);
    }

    /// Notes a call and does what the script says of it.
    fn enter(&self, op: Op, key: &str, bytes: usize) -> Result<Option<Kind>> {
        lock(&self.calls).push(Call { op, key: key.to_owned(), bytes });
        let then = {
            let mut script = lock(&self.script);
            let line =
                script.iter_mut().find(|line| line.op == op && line.times > 0 && key.contains(&line.part));
            line.map(|line| {
                line.times -= 1;
                line.then.clone()
            })
        };
        match then {
            None => Ok(None),
            Some(Then::Fail(kind)) => Err(Error::new(kind, "the script says so")),
            Some(Then::Land(kind)) => Ok(Some(kind)),
            Some(Then::Do(act)) => {
                act(&self.memory);
                Ok(None)
            }
        }
    }

    /// What the version that memory gave is called here.
    fn named(&self, key: &str, version: Version) -> Version {
        let mut versions = lock(&self.versions);
        let of_key = versions.entry(key.to_owned()).or_default();
        let at = of_key.iter().position(|known| *known == version).unwrap_or_else(|| {
            of_key.push(version);
            of_key.len() - 1
        });
        Version::new((at + 1).to_string())
    }

    fn meant(&self, key: &str, named: &Version) -> Version {
        let number: usize = named.as_str().parse().expect("a version of this store");
        lock(&self.versions)[key][number - 1].clone()
    }
}

#[async_trait]
impl Blobs for Scripted {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        self.linger(&self.slow, Op::Read, key).await;
        self.enter(Op::Read, key, 0)?;
        let object = self.memory.read(key, limit).await?;
        if let (Some(object), Some(call)) = (&object, lock(&self.calls).last_mut()) {
            call.bytes = object.bytes.len();
        }
        Ok(object.map(|object| Object { version: self.named(key, object.version), ..object }))
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        self.linger(&self.slow, Op::Stat, key).await;
        self.enter(Op::Stat, key, 0)?;
        let stat = self.memory.stat(key).await?;
        Ok(stat.map(|stat| Stat { version: self.named(key, stat.version), ..stat }))
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        self.linger(&self.slow, Op::Write, key).await;
        let lost = self.enter(Op::Write, key, bytes.len())?;
        let when = match when {
            When::Is(version) => When::Is(self.meant(key, &version)),
            when => when,
        };
        let version = self.memory.write(key, bytes, when).await?;
        self.linger(&self.slow_answers, Op::Write, key).await;
        match lost {
            Some(kind) => Err(Error::new(kind, "the script says so")),
            None => Ok(self.named(key, version)),
        }
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        self.linger(&self.slow, Op::Copy, from).await;
        self.enter(Op::Copy, from, 0)?;
        self.memory.copy(from, to).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.linger(&self.slow, Op::Delete, key).await;
        self.enter(Op::Delete, key, 0)?;
        self.memory.delete(key).await
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        match self.enter(Op::List, prefix, 0) {
            Ok(_) => self.memory.list(prefix, after),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn sign_put(&self, key: &str, size: u64, lasts: Duration) -> Result<Option<Signed>> {
        Ok(self.signed(&format!("PUT {size}"), key, lasts))
    }

    async fn sign_get(&self, key: &str, lasts: Duration) -> Result<Option<Signed>> {
        Ok(self.signed("GET", key, lasts))
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// Puts `bytes` there: what is in memory never waits.
pub(crate) fn put(memory: &MemoryBlobs, key: &str, bytes: impl Into<Bytes>) {
    let written = memory.write(key, bytes.into(), When::Always).now_or_never();
    written.expect("memory never waits").expect("written");
}

/// Writes `key` again as it is: another version of the same bytes.
pub(crate) fn touch(memory: &MemoryBlobs, key: &str) {
    let object = memory.read(key, u64::MAX).now_or_never().expect("memory never waits").expect("read");
    put(memory, key, object.map(|object| object.bytes).unwrap_or_default());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no code panics while it holds the lock")
}
