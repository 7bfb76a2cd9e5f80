//! `autopgo server`: the HTTP API over a blob store and a bus.

use autopgo_boot::{Config, Ports, Reach, Served, access, server};
use autopgo_http::Api;
use autopgo_http::process::{listen, shutdown};

use crate::args::serve::{Server, limits, storage_emulator_host, tokens};
use crate::output::Failure;

pub(crate) fn run(args: Server) -> Result<(), Failure> {
    let config = Config {
        blob_store_url: Some(args.blob_store_url),
        event_writer_url: Some(args.event_writer_url),
        tokens_file: args.access.tokens_file,
        tokens: tokens().map_err(Failure::Usage)?,
        storage_emulator_host: storage_emulator_host(),
        limits: limits().map_err(Failure::Usage)?,
        ..Config::default()
    };
    let address = super::everywhere(args.port);
    super::run(async move {
        let access = access(&config, Reach::of(address.ip())).map_err(Failure::Usage)?;
        let ports = Ports::for_server(&config).await.map_err(Failure::Usage)?;
        ports.check().await?;
        let listener = listen::bind(address).await?;
        let stop = shutdown::on_signal()?;
        let Served { server, checks } = server(&ports, ports.host(&config));
        let router = Api::new(server, checks, access).router();
        listen::run(listener, router, &config.limits, stop.cancelled_owned(), listen::GRACE).await;
        Ok::<_, Failure>(())
    })
}
