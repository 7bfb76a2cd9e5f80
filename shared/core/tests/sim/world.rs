//! The stage: one bucket, one bus, and the processes that are given both.

use std::sync::{Arc, Mutex};

use autopgo_core::app::App;
use autopgo_core::clock::Clock;
use autopgo_core::host::Host;
use autopgo_core::limits::Limits;
use autopgo_core::port::blobs::Blobs;
use autopgo_core::port::bus::Topic;
use autopgo_core::server::Server;
use autopgo_core::worker::{Options, Worker};

use super::blobs::{Bucket, SimBlobs};
use super::bus::{Bus, SimTopic};
use super::clock::{SimClock, SimCpu};
use super::executor::{Process, Sim};
use super::history::History;
use super::mutants::Mutant;
use super::plan::Plan;

/// Everything that actors share.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) sim: Arc<Sim>,
    pub(crate) history: Arc<History>,
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) apps: Vec<App>,
    pub(crate) mutant: Option<Mutant>,
    servers: Mutex<Vec<Server>>,
}

impl World {
    pub(crate) fn new(plan: Plan, sim: Arc<Sim>, history: Arc<History>, mutant: Option<Mutant>) -> Arc<Self> {
        let bucket = Bucket::new(Arc::clone(&sim), Arc::clone(&history), &plan);
        let bus = Bus::new(Arc::clone(&sim), Arc::clone(&history), &plan);
        let names = ["checkout", "search"];
        let apps = names[..plan.apps].iter().map(|name| App::parse(name).expect("a good name")).collect();
        let world = Self { plan, sim, history, bucket, bus, apps, mutant, servers: Mutex::default() };
        let servers =
            (0..world.plan.servers).map(|number| Server::new(world.host(Process("server", number))));
        let servers = servers.collect();
        *world.servers.lock().expect("nobody panics with it") = servers;
        Arc::new(world)
    }

    /// One of the applications.
    pub(crate) fn app(&self) -> App {
        self.apps[self.sim.chance(|chance| chance.index(self.apps.len()))].clone()
    }

    /// A clock as one machine has it.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        let most = i64::try_from(self.plan.skew.as_nanos()).expect("minutes");
        let offset = match most {
            0 => 0,
            _ => {
                i64::try_from(self.sim.chance(|chance| chance.below(2 * most.unsigned_abs())))
                    .expect("minutes")
                    - most
            }
        };
        Arc::new(SimClock::new(Arc::clone(&self.sim), offset))
    }

    fn host(&self, process: Process) -> Host {
        let topic: Arc<dyn Topic> = Arc::new(SimTopic { bus: Arc::clone(&self.bus), process });
        let blobs: Arc<dyn Blobs> = Arc::new(SimBlobs { bucket: Arc::clone(&self.bucket), process });
        let blobs = match self.mutant {
            Some(mutant) => mutant.over(process, blobs, Arc::clone(&topic)),
            None => blobs,
        };
        let limits = Limits { merge_batch: self.plan.merge_batch, ..Limits::default() };
        Host::new(blobs, topic, self.clock(), Arc::new(SimCpu(Arc::clone(&self.sim))), limits)
    }

    /// A worker that knows nothing yet.
    pub(crate) fn worker(&self, process: Process) -> Worker {
        Worker::new(self.host(process), Options { compact: self.plan.compact, ..Options::default() })
    }

    /// Any of the servers, and its process.
    pub(crate) fn server(&self) -> (Process, Server) {
        let servers = self.servers.lock().expect("nobody panics with it");
        let number = self.sim.chance(|chance| chance.index(servers.len()));
        (Process("server", number), servers[number].clone())
    }

    /// A server died and is started again.
    pub(crate) fn restart_server(&self, number: usize) {
        let server = Server::new(self.host(Process("server", number)));
        self.servers.lock().expect("nobody panics with it")[number] = server;
    }
}
