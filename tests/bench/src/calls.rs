//! What the pipeline asks of a store, which is what a cloud bills: counted at a store in memory under the server and the
//! worker themselves.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use autopgo_core::app::App;
use autopgo_core::clock::System;
use autopgo_core::host::Host;
use autopgo_core::key::{Id, Key};
use autopgo_core::limits::Limits;
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::port::blobs::{Blobs as _, When};
use autopgo_core::port::bus::{Message, Topic};
use autopgo_core::port::cpu::{Cpu, Job};
use autopgo_core::server::Server;
use autopgo_core::worker::{Options, Worker};
use bytes::Bytes;

use crate::counting::{Counting, Counts};
use crate::error::Error;

/// One thing that was done, what it cost, and what it may cost.
pub(crate) struct Row {
    what: String,
    counts: Counts,
    allowed: Option<Allowed>,
}

/// What something may cost: in words, and whether it holds.
type Allowed = (&'static str, fn(&Counts) -> bool);

/// All of them.
pub(crate) struct Table(Vec<Row>);

impl Table {
    /// Those that cost more than they may.
    pub(crate) fn missed(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|row| !row.is_met()).map(|row| row.what.as_str())
    }
}

impl Row {
    fn is_met(&self) -> bool {
        self.allowed.is_none_or(|(_, holds)| holds(&self.counts))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| what | calls | reads | look-ups | writes | deletes | pages listed | bytes read | bytes written | may cost | verdict |"
        )?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|---|")?;
        for row in &self.0 {
            let counts = &row.counts;
            let (allowed, verdict) = match row.allowed {
                Some((allowed, _)) => (allowed, if row.is_met() { "met" } else { "missed" }),
                None => ("-", "-"),
            };
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {allowed} | {verdict} |",
                row.what,
                counts.calls(),
                counts.reads,
                counts.stats,
                counts.writes + counts.copies,
                counts.deletes,
                counts.lists,
                counts.bytes_read,
                counts.bytes_written,
            )?;
        }
        Ok(())
    }
}

/// Computes where it is asked to.
struct Inline;

#[async_trait]
impl Cpu for Inline {
    async fn run(&self, job: Job) {
        job();
    }
}

/// Keeps what is published until it is handled.
#[derive(Default)]
struct Outbox(Mutex<Vec<Bytes>>);

impl Outbox {
    fn take(&self) -> Vec<Bytes> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Topic for Outbox {
    async fn publish(&self, message: Message) -> autopgo_core::error::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message.body);
        Ok(())
    }

    async fn check(&self) -> autopgo_core::error::Result<()> {
        Ok(())
    }
}

struct House {
    blobs: Arc<Counting>,
    outbox: Arc<Outbox>,
    server: Server,
    worker: Worker,
}

impl House {
    fn new() -> Self {
        let clock = Arc::new(System);
        let blobs = Arc::new(Counting::over(MemoryBlobs::new(clock.clone())));
        let outbox = Arc::new(Outbox::default());
        let host = Host::new(blobs.clone(), outbox.clone(), clock, Arc::new(Inline), Limits::default());
        let (server, worker) = (Server::new(host.clone()), Worker::new(host, Options::default()));
        Self { blobs, outbox, server, worker }
    }

    async fn upload(&self, app: &App, body: &Bytes) -> Result<(), Error> {
        let uploaded = self.server.upload(app, body.clone(), None).await;
        uploaded.map(drop).map_err(Error::pipeline("uploading"))
    }

    async fn put(&self, key: &Key, bytes: &Bytes) -> Result<(), Error> {
        let put = self.blobs.write(&key.to_string(), bytes.clone(), When::Always).await;
        put.map(drop).map_err(Error::pipeline("filling the store"))
    }

    /// Handles what was published, in one batch, and what that publishes in turn, until nothing is left.
    async fn settle(&self) -> Result<(), Error> {
        loop {
            let events = self.outbox.take();
            if events.is_empty() {
                return Ok(());
            }
            let outcomes = self.worker.handle(&events).await;
            if !outcomes.iter().all(|outcome| outcome.is_done()) {
                return Err(Error::Unexpected { what: format!("a batch came to {outcomes:?}") });
            }
        }
    }
}

/// Counts all of it over the recorded profiles in `profiles`.
pub(crate) async fn count(profiles: &Path) -> Result<Table, Error> {
    let read = |name: &str| {
        let path = profiles.join(name);
        fs::read(&path).map(Bytes::from).map_err(Error::file(&path))
    };
    let (upload, base) = (read("rclone.pgo")?, read("rclone-full.pprof")?);
    let app = App::parse("rclone").map_err(Error::pipeline("naming the application"))?;
    let mut rows = Vec::new();

    let house = House::new();
    house.upload(&app, &upload).await?;
    rows.push(Row {
        what: "an upload (rclone.pgo)".to_owned(),
        counts: house.blobs.take(),
        allowed: Some(("1 call", |counts| counts.calls() == 1)),
    });

    rows.push(with_ticket(&app, &upload).await?);
    for number in [1_u64, 10, 100] {
        rows.push(merge(&app, &base, &upload, number).await?);
    }
    rows.push(download(&app, &base).await?);
    rows.push(list(&base).await?);
    rows.push(delete(&app, &base, &upload).await?);
    Ok(Table(rows))
}

async fn with_ticket(app: &App, upload: &Bytes) -> Result<Row, Error> {
    let house = House::new();
    let ticket = house.server.ticket(app, upload.len() as u64, None).await;
    let ticket = ticket.map_err(Error::pipeline("asking for a ticket"))?;
    let id = ticket.and_then(|ticket| Id::parse(&ticket.id));
    let id = id.ok_or_else(|| Error::Unexpected { what: "there is no ticket".to_owned() })?;
    let signed = house.blobs.take();
    // The client's own: a call to the store as well, though not the server's.
    house.put(&Key::incoming(app, &id), upload).await?;
    house.server.complete(app, &id).await.map_err(Error::pipeline("completing a ticket"))?;
    Ok(Row {
        what: "an upload with a ticket, the client's put included".to_owned(),
        counts: house.blobs.take(),
        allowed: Some((
            "a read, two writes, a delete",
            if signed == Counts::default() { ticket_costs } else { |_| false },
        )),
    })
}

fn ticket_costs(counts: &Counts) -> bool {
    (counts.reads, counts.writes, counts.deletes, counts.calls()) == (1, 2, 1, 4)
}

async fn merge(app: &App, base: &Bytes, upload: &Bytes, number: u64) -> Result<Row, Error> {
    let house = House::new();
    house.put(&Key::base(app), base).await?;
    for _ in 0..number {
        house.upload(app, upload).await?;
    }
    house.blobs.take();
    house.settle().await?;
    let counts = house.blobs.take();
    let (allowed, holds): (_, fn(&Counts) -> bool) = match number {
        1 => ("2 reads, 1 write, 1 delete, at most 1 page", |counts| merge_costs(counts, 1)),
        10 => ("11 reads, 1 write, 10 deletes, at most 1 page", |counts| merge_costs(counts, 10)),
        _ => ("101 reads, 1 write, 100 deletes, at most 1 page", |counts| merge_costs(counts, 100)),
    };
    let what = format!("a merge of {number} into rclone-full.pprof");
    Ok(Row { what, counts, allowed: Some((allowed, holds)) })
}

fn merge_costs(counts: &Counts, number: u64) -> bool {
    let Counts { reads, writes, deletes, lists, .. } = *counts;
    (reads, writes, deletes) == (number + 1, 1, number)
        && lists <= 1
        && counts.calls() == reads + writes + deletes + lists
}

async fn download(app: &App, base: &Bytes) -> Result<Row, Error> {
    let house = House::new();
    house.put(&Key::base(app), base).await?;
    house.blobs.take();
    let answer = house.server.download(app, autopgo_core::api::Form::Full, &|_| false).await;
    answer.map_err(Error::pipeline("downloading"))?;
    Ok(Row {
        what: "a download of rclone-full.pprof".to_owned(),
        counts: house.blobs.take(),
        allowed: Some(("1 call", |counts| counts.calls() == 1)),
    })
}

/// A thousand applications, each with a base and ten uploads that wait.
async fn list(base: &Bytes) -> Result<Row, Error> {
    const APPS: usize = 1000;
    const STAGED: usize = 10;
    let house = House::new();
    let small = base.slice(..8 << 10);
    for number in 0..APPS {
        let app =
            App::parse(&format!("app-{number:04}")).map_err(Error::pipeline("naming an application"))?;
        house.put(&Key::base(&app), &small).await?;
        for _ in 0..STAGED {
            house.put(&Key::staged(&app, &Id::fresh(&System)), &Bytes::new()).await?;
        }
    }
    house.blobs.take();
    let listed = house.server.list().await.map_err(Error::pipeline("listing"))?;
    if listed.len() != APPS {
        return Err(Error::Unexpected {
            what: format!("{} of {APPS} applications are listed", listed.len()),
        });
    }
    Ok(Row {
        what: "a list of 1,000 apps with 10 staged uploads each".to_owned(),
        counts: house.blobs.take(),
        allowed: Some(("11 pages", |counts| counts.lists <= 11 && counts.calls() == counts.lists)),
    })
}

async fn delete(app: &App, base: &Bytes, upload: &Bytes) -> Result<Row, Error> {
    let house = House::new();
    house.put(&Key::base(app), base).await?;
    for _ in 0..10 {
        house.upload(app, upload).await?;
    }
    house.blobs.take();
    house.outbox.take();
    house.server.delete(app).await.map_err(Error::pipeline("deleting"))?;
    house.settle().await?;
    Ok(Row {
        what: "a delete of an app with 10 staged uploads".to_owned(),
        counts: house.blobs.take(),
        allowed: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_costs_more_than_it_may() {
        let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/profiles");
        let table = count(&profiles).await.unwrap();
        let missed: Vec<_> = table.missed().collect();
        assert!(missed.is_empty(), "{missed:?}\n{table}");
    }
}
