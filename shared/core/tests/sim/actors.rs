//! Who acts: clients that upload and delete, the workers, and an old Go server beside them.

use std::sync::Arc;
use std::time::Duration;

use autopgo_core::app::App;
use autopgo_core::clock::{Clock, since};
use autopgo_core::error::{Error, Kind};
use autopgo_core::event::{Envelope, Event};
use autopgo_core::key::{Id, Key};
use autopgo_core::port::blobs::{Blobs, When};
use autopgo_core::server::Server;
use autopgo_core::worker::Worker;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::blobs::SimBlobs;
use super::executor::Process;
use super::history::{Load, Wrong};
use super::mutants::Mutant;
use super::profile::{self, Period};
use super::world::World;

const CLIENT: Process = Process("client", 0);
const GO: Process = Process("go", 0);

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// When a client stops sending an upload again: what the server's check of the key's time is made for.
const RETRYING: Duration = Duration::from_secs(5 * 60);
/// A ticket is good for this long at least, however far the clocks are off.
const SURE: Duration = Duration::from_secs(9 * 60);
/// A server reads a request and writes what is in it within this time.
const REQUEST: Duration = Duration::from_secs(5 * 60);

/// Spawns everybody.
pub(crate) fn enter(world: &Arc<World>) {
    for number in 0..world.plan.uploads {
        let actor = Arc::clone(world);
        world.sim.spawn(CLIENT, async move { upload(&actor, number).await });
    }
    for _ in 0..world.plan.deletes {
        let actor = Arc::clone(world);
        world.sim.spawn(CLIENT, async move { delete(&actor).await });
    }
    for number in 0..world.plan.go_uploads {
        let actor = Arc::clone(world);
        world.sim.spawn(GO, async move { go_upload(&actor, number).await });
    }
    for _ in 0..world.plan.go_deletes {
        let actor = Arc::clone(world);
        world.sim.spawn(GO, async move { go_delete(&actor).await });
    }
    for number in 0..world.plan.workers {
        start_worker(world, number);
    }
}

/// Starts a worker that knows nothing of what was before.
pub(crate) fn start_worker(world: &Arc<World>, number: usize) {
    let process = Process("worker", number);
    let worker = world.worker(process);
    for _ in 0..world.plan.consumers {
        let (world, worker) = (Arc::clone(world), worker.clone());
        let sim = Arc::clone(&world.sim);
        sim.spawn(process, async move { consume(&world, process, &worker).await });
    }
    if number < world.plan.sweepers {
        let world = Arc::clone(world);
        let sim = Arc::clone(&world.sim);
        sim.spawn(process, async move { sweep(&world, &worker).await });
    }
}

async fn consume(world: &Arc<World>, process: Process, worker: &Worker) {
    loop {
        let mut taken = world.bus.receive(process, world.plan.batch).await;
        let bodies = taken.bodies();
        for (at, outcome) in worker.handle(&bodies).await.iter().enumerate() {
            if outcome.is_done() {
                taken.done(at);
                world.history.handled(&bodies[at]);
            }
        }
    }
}

async fn sweep(world: &Arc<World>, worker: &Worker) {
    loop {
        let seconds = world.sim.chance(|chance| chance.from(1, 300));
        world.sim.sleep(Duration::from_secs(seconds)).await;
        let millis = world.sim.chance(|chance| chance.magnitude(100_000));
        let deadline = worker.host().clock.now() + Duration::from_millis(millis);
        // A sweep that fails has said so in its log; the next one comes.
        let enough = || world.plan.deadline && worker.host().clock.now() >= deadline;
        let _ = worker.sweep(world.plan.sweep_after, &enough).await;
        world.sim.count("a sweep");
    }
}

async fn late_start(world: &World) {
    let most = u64::try_from(world.plan.spread.as_nanos()).expect("hours");
    let nanos = world.sim.chance(|chance| chance.below(most));
    world.sim.sleep(Duration::from_nanos(nanos)).await;
}

/// What a client or a Go server sends.
fn load(world: &World, name: &str) -> (Load, Bytes) {
    let plan = &world.plan;
    let period = if world.sim.happens(plan.wall) { Period::Wall } else { Period::Cpu };
    if world.sim.happens(plan.idle) {
        return (Load::Idle(period), profile::cpu(None, period, &[]));
    }
    if world.sim.happens(plan.identical) {
        let function = "same".to_owned();
        let bytes = profile::cpu(Some(&function), period, &[]);
        return (Load::Function(function, period), bytes);
    }
    let mut comments = vec![format!("from {name}")];
    if world.sim.happens(plan.reserved) {
        // Somebody downloads a base, adds to it and uploads it again: what it says of itself means nothing.
        comments.extend(world.history.ids().iter().map(|id| format!("autopgo:merged:{id}")));
        comments.push("autopgo:deleted:2100-01-01T00:00:00Z".to_owned());
        comments.push("autopgo:base:00000000-0000-4000-8000-000000000000".to_owned());
    }
    (Load::Function(name.to_owned(), period), profile::cpu(Some(name), period, &comments))
}

/// A client uploads, and sends the upload again under the same key until it knows that it is accepted.
async fn upload(world: &Arc<World>, number: usize) {
    late_start(world).await;
    let (app, clock) = (world.app(), world.clock());
    let name = format!("u{number}");
    let (load, body) = load(world, &name);
    let chance: [u8; 10] = std::array::from_fn(|_| clock.random() as u8);
    let made = clock.now();
    let millis = u64::try_from(made.as_millisecond()).expect("after 1970");
    let key = uuid::Builder::from_unix_timestamp_millis(millis, &chance).into_uuid().to_string();
    let id = Id::from_idempotency_key(&key, &*clock, RETRYING).expect("made this moment");
    let upload = world.history.upload(name, app.clone(), id.clone(), load);
    let stubborn = world.sim.happens(world.plan.stubborn);
    let sender = Sender { world: Arc::clone(world), clock, app, body, key, id, upload, made, stubborn };
    if world.plan.tickets > 0 && world.sim.happens(world.plan.tickets) {
        return sender.with_ticket().await;
    }
    loop {
        let (app, body, key) = (sender.app.clone(), sender.body.clone(), sender.key.clone());
        let accepted = sender.accepted();
        let upload =
            |server: Server| async move { server.upload(&app, body, Some(&key)).await.map(|_| accepted()) };
        match sender.ask(upload).await {
            Some(Ok(())) if !stubborn => return,
            // The key is too old, by the server's clock.
            Some(Err(error)) if error.kind() == Kind::Invalid => return,
            Some(Err(error)) if error.kind() != Kind::Unavailable => {
                return world.history.broken(Wrong::Refused, format!("an upload failed: {}", error.chain()));
            }
            _ => {}
        }
        if !sender.again().await {
            return;
        }
    }
}

/// A client with one upload.
struct Sender {
    world: Arc<World>,
    clock: Arc<dyn Clock>,
    app: App,
    body: Bytes,
    key: String,
    id: Id,
    upload: usize,
    made: Timestamp,
    stubborn: bool,
}

impl Sender {
    /// What a server that has taken the upload says.
    fn accepted(&self) -> impl FnOnce() + Send + 'static {
        let (world, upload) = (Arc::clone(&self.world), self.upload);
        move || world.history.accepted(upload)
    }

    /// Asks a server, which may die over it, and gives the answer if it comes.
    async fn ask<T, F>(&self, ask: impl FnOnce(Server) -> F) -> Option<Result<T, Error>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let world = &self.world;
        let (process, server) = world.server();
        let (answer, answered) = oneshot::channel();
        let (actor, work) = (Arc::clone(world), ask(server));
        world.sim.spawn(process, async move {
            let _fence = actor.sim.fence(REQUEST);
            let result = work.await;
            actor.sim.pause().await;
            // Nobody may be waiting any more.
            let _ = answer.send(result);
        });
        let answered = tokio::select! {
            biased;
            answered = answered => answered.ok(),
            () = world.sim.sleep(PATIENCE) => None,
        };
        answered.filter(|_| !world.sim.happens(world.plan.faults.unanswered))
    }

    /// Waits for the next try. Whether there is one.
    async fn again(&self) -> bool {
        let most = if self.stubborn { 10_000_000 } else { 100_000 };
        let millis = self.world.sim.chance(|chance| chance.magnitude(most));
        self.world.sim.sleep(Duration::from_millis(millis)).await;
        if !self.stubborn && self.age() > RETRYING {
            return false;
        }
        self.world.sim.count("a client sent again");
        true
    }

    fn age(&self) -> Duration {
        since(self.made, self.clock.now())
    }

    /// Takes a ticket, puts the upload, and completes it until that is answered. A stubborn client does so for hours, and
    /// now and then puts it once more.
    async fn with_ticket(&self) {
        let world = &self.world;
        let blobs = SimBlobs { bucket: Arc::clone(&world.bucket), process: CLIENT };
        let (mut ticket, mut put) = (None, false);
        loop {
            let fault = match (&ticket, put) {
                (None, _) => match self.take_ticket().await {
                    Ok(taken) => {
                        ticket = Some(taken);
                        continue;
                    }
                    Err(fault) => fault,
                },
                (Some(key), false) => match blobs.write(key, self.body.clone(), When::Always).await {
                    Ok(_) => {
                        put = true;
                        continue;
                    }
                    Err(error) => Some(error),
                },
                (Some(_), true) => {
                    put &= !(self.stubborn && world.sim.happens(300));
                    let answer = self.complete().await;
                    match answer {
                        Ok(()) if self.stubborn => None,
                        Ok(()) => return,
                        Err(fault) => fault,
                    }
                }
            };
            match fault {
                // The key is too old, by the server's clock.
                Some(error) if error.kind() == Kind::Invalid => return,
                // So is the ticket: what was put cannot be missing.
                Some(error) if error.kind() == Kind::NotFound => {
                    if self.age() < SURE {
                        let what = format!("the ticket of {} was refused: {}", self.id, error.chain());
                        world.history.broken(Wrong::Refused, what);
                    }
                    world.sim.count("a ticket had ended");
                    return;
                }
                Some(error) if error.kind() != Kind::Unavailable => {
                    let what = format!("an upload with a ticket failed: {}", error.chain());
                    return world.history.broken(Wrong::Refused, what);
                }
                _ => {}
            }
            if !self.again().await {
                return;
            }
        }
    }

    /// The key to put the upload at. No error is no answer.
    async fn take_ticket(&self) -> Result<String, Option<Error>> {
        let (app, key, size) = (self.app.clone(), self.key.clone(), self.body.len() as u64);
        let ask = |server: Server| async move { server.ticket(&app, size, Some(&key)).await };
        let ticket = self.ask(ask).await.ok_or(None)?.map_err(Some)?;
        Ok(ticket.expect("this store signs").key)
    }

    async fn complete(&self) -> Result<(), Option<Error>> {
        let (app, id, accepted) = (self.app.clone(), self.id.clone(), self.accepted());
        let endless = self.world.mutant == Some(Mutant::EndlessTicket);
        let ask = |server: Server| async move {
            let mut completed = server.complete(&app, &id).await.map(drop);
            if endless && matches!(&completed, Err(error) if error.what().contains("has expired")) {
                completed = complete_in_spite_of_all(&server, &app, &id).await;
            }
            completed.map(|()| accepted())
        };
        self.ask(ask).await.ok_or(None)?.map_err(Some)?;
        self.world.sim.count("a ticket was completed");
        Ok(())
    }
}

/// What a server would do that does not ask how old a ticket is.
async fn complete_in_spite_of_all(server: &Server, app: &App, id: &Id) -> Result<(), Error> {
    let store = &server.host().store;
    match store.incoming(app, id).await? {
        Some(body) => store.stage(app, id, body).await,
        None => Ok(()),
    }
}

/// A client asks for a deletion, again and again while the answer is "try again".
async fn delete(world: &Arc<World>) {
    late_start(world).await;
    let app = world.app();
    let tries = world.sim.chance(|chance| chance.from(1, 3));
    for _ in 0..tries {
        let (process, server) = world.server();
        let (answer, answered) = oneshot::channel();
        let deletion =
            Ending { world: Arc::clone(world), deletion: world.history.deletion(app.clone(), None) };
        let (actor, app) = (Arc::clone(world), app.clone());
        world.sim.spawn(process, async move {
            let result = server.delete(&app).await;
            match &result {
                Ok(()) => actor.sim.count("a deletion was answered with 200"),
                Err(error) if error.kind() == Kind::NotFound => {
                    actor.sim.count("a deletion was answered with 404");
                }
                Err(_) => actor.sim.count("a deletion was answered with 503"),
            }
            match result {
                Err(error) if error.kind() != Kind::NotFound => {
                    if error.kind() != Kind::Unavailable {
                        actor.history.broken(Wrong::Refused, format!("a deletion failed: {}", error.chain()));
                    }
                }
                _ => actor.history.deleted(deletion.deletion),
            }
            drop(deletion);
            actor.sim.pause().await;
            let _ = answer.send(());
        });
        if answered.await.is_ok() {
            return;
        }
    }
}

/// A deletion ends when whoever carries it out does, by a crash too.
struct Ending {
    world: Arc<World>,
    deletion: usize,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.world.history.deletion_ended(self.deletion);
    }
}

/// A Go server stages whatever it is sent, under an id of the time alone.
async fn go_upload(world: &Arc<World>, number: usize) {
    late_start(world).await;
    let (app, clock) = (world.app(), world.clock());
    let name = format!("g{number}");
    let (load, bytes) = match world.sim.chance(|chance| chance.index(2)) {
        _ if !world.sim.happens(world.plan.garbage) => load(world, &name),
        0 => (Load::Unusable, Bytes::from(format!("{name} is no profile"))),
        _ => (Load::Unusable, profile::heap(&name)),
    };
    let id = Id::parse(&format!("{:019}", clock.now().as_nanosecond())).expect("an id");
    let upload = world.history.upload(name, app.clone(), id.clone(), load);
    let blobs = SimBlobs { bucket: Arc::clone(&world.bucket), process: GO };
    let fence = world.sim.fence(REQUEST);
    let written = blobs.write(&Key::staged(&app, &id).to_string(), bytes, When::Always).await;
    drop(fence);
    if written.is_ok() {
        world.history.accepted(upload);
        let message = Envelope::new(Event::Uploaded { app, id }, &*clock).message();
        world.bus.send(GO, message.body).await;
    }
}

/// A Go server only publishes that a profile is to be deleted.
async fn go_delete(world: &Arc<World>) {
    late_start(world).await;
    let (app, clock) = (world.app(), world.clock());
    let envelope = Envelope::new(Event::Deleted { app: app.clone(), cleared: false }, &*clock);
    world.history.deletion(app, Some(envelope.timestamp));
    world.bus.send(GO, envelope.message().body).await;
}
