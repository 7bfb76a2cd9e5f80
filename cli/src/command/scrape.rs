//! `autopgo scrape`: the arguments, as the scraper takes them.

use autopgo_client::Patience;
use autopgo_core::error::{Error, Kind};
use autopgo_http::process::shutdown;
use autopgo_scraper::{Mode, Options, source};

use crate::args::serve::{Scrape, limits};
use crate::output::Failure;

pub(crate) fn run(args: Scrape) -> Result<(), Failure> {
    let mode: Mode = args.mode.parse().map_err(Failure::Usage)?;
    if mode == Mode::File && args.config.is_none() {
        let what = "mode file needs a config file: autopgo scrape config.json";
        return Err(Failure::Usage(Error::new(Kind::Invalid, what)));
    }
    let options = Options {
        // Nobody waits for it, and the server may come up later than we do.
        client: args.api.client_with(Patience::default()).map_err(Failure::of_options)?,
        listen: Some(super::everywhere(args.port)),
        sample_size: args.sample_size,
        frequency: args.frequency.0,
        duration: args.duration.0,
        limits: limits().map_err(Failure::Usage)?,
    };
    super::run(async move {
        let stop = shutdown::on_signal()?;
        let source = source::open(mode, args.config.as_deref(), args.app).await?;
        autopgo_scraper::run(options, source, stop).await
    })
}
