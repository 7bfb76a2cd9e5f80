//! `autopgo server`: the HTTP API over a blob store and a bus.

use autopgo_boot::{Config, Ports, Served, server};
use autopgo_http::process::{listen, shutdown};

use crate::args::serve::{Server, limits, storage_emulator_host};
use crate::output::Failure;

pub(crate) fn run(args: Server) -> Result<(), Failure> {
    let config = Config {
        blob_store_url: Some(args.blob_store_url),
        event_writer_url: Some(args.event_writer_url),
        storage_emulator_host: storage_emulator_host(),
        limits: limits().map_err(Failure::Usage)?,
        ..Config::default()
    };
    super::run(async move {
        let ports = Ports::for_server(&config).await.map_err(Failure::Usage)?;
        ports.check().await?;
        let listener = listen::bind(super::everywhere(args.port)).await?;
        tracing::warn!(
            "anyone who reaches this port can upload, download and delete profiles; let only those reach it who may"
        );
        let stop = shutdown::on_signal()?;
        let Served { server, checks } = server(&ports, ports.host(&config));
        let router = autopgo_http::router(server, checks);
        listen::run(listener, router, &config.limits, stop.cancelled_owned(), listen::GRACE).await;
        Ok::<_, Failure>(())
    })
}
