//! `autopgo worker`: pulls events, merges, sweeps, and answers for its health.

use autopgo_boot::{Config, Ports, Work, rules, worker};
use autopgo_http::process::{health, listen, shutdown};

use crate::args::serve::{Worker, limits, storage_emulator_host};
use crate::output::Failure;

pub(crate) fn run(args: Worker) -> Result<(), Failure> {
    let config = Config {
        blob_store_url: Some(args.blob_store_url),
        event_writer_url: Some(args.event_writer_url),
        event_reader_url: Some(args.event_reader_url),
        storage_emulator_host: storage_emulator_host(),
        limits: limits().map_err(Failure::Usage)?,
        ..args.merging.into()
    };
    super::run(async move {
        let rules = rules(&config).map_err(Failure::Usage)?;
        let ports = Ports::for_worker(&config).await.map_err(Failure::Usage)?;
        ports.check().await?;
        let listener = listen::bind(super::everywhere(args.port)).await?;
        let stop = shutdown::on_signal()?;
        let work = Work::new(&ports, worker(&config, rules, ports.host(&config)), &config)?;
        let health = health::router(ports.checks());
        let answering =
            listen::run(listener, health, &config.limits, stop.clone().cancelled_owned(), listen::GRACE);
        tokio::join!(work.run(stop), answering);
        Ok::<_, Failure>(())
    })
}
