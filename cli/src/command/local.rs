//! `autopgo local`: everything in one process, and with `--demo` something to do for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use autopgo_boot::Config;
use autopgo_core::error::{Error, Kind};
use autopgo_http::process::{listen, shutdown};
use autopgo_local::emulate::Cloud;
use autopgo_local::{Local, mode};
use etcetera::BaseStrategy as _;

use crate::args::serve::{self, limits, storage_emulator_host, tokens};
use crate::output::Failure;

pub(crate) fn run(args: serve::Local) -> Result<(), Failure> {
    let cloud = cloud(&args.emulate, args.stage)?;
    #[cfg(not(feature = "scrape"))]
    if args.demo {
        return Err(Failure::not_built("local --demo", "scrape"));
    }
    let data = match args.data_dir {
        Some(folder) => folder,
        // What the demo makes up is kept apart from a user's own profiles.
        None if args.demo => data_folder().map_err(Failure::Usage)?.join("demo"),
        None => data_folder().map_err(Failure::Usage)?,
    };
    let own_store = args.blob_store_url.is_none();
    let config = Config {
        blob_store_url: args.blob_store_url,
        event_writer_url: args.event_writer_url,
        event_reader_url: args.event_reader_url,
        tokens_file: args.access.tokens_file,
        tokens: tokens().map_err(Failure::Usage)?,
        storage_emulator_host: storage_emulator_host(),
        limits: limits().map_err(Failure::Usage)?,
        ..args.merging.into()
    };
    let config = mode::embedded(config, &data).map_err(Failure::Usage)?;
    let prefix = cloud.as_ref().map(Cloud::prefix).unwrap_or_default();
    super::run(async move {
        #[cfg_attr(not(feature = "scrape"), expect(unused_mut, reason = "nobody but the demo changes it"))]
        let mut local = Local::open(config, cloud).await.map_err(Failure::Usage)?;
        local.check().await?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
        let listener = listen::bind(address).await?;
        let address = listener.local_addr().unwrap_or(address);
        if own_store {
            tracing::info!(folder = %data.display(), "profiles are kept in this folder");
        }
        let url = format!("http://{address}{prefix}");
        let stop = shutdown::on_signal()?;
        #[cfg(feature = "scrape")]
        if args.demo {
            let demo = crate::demo::start(&mut local, &url, &stop).await?;
            let ran = autopgo_local::run(local, listener, stop).await;
            demo.end().await;
            return Ok(ran?);
        }
        tracing::info!(url, "ready: upload with `autopgo upload PROFILE --app NAME`");
        Ok::<_, Failure>(autopgo_local::run(local, listener, stop).await?)
    })
}

/// The cloud that is to be played, if any.
fn cloud(name: &str, stage: Option<String>) -> Result<Option<Cloud>, Failure> {
    let usage = |what: String| Failure::Usage(Error::new(Kind::Invalid, what));
    let cloud = match (name, &stage) {
        ("aws", _) => Cloud::Aws { stage: stage.map(named).transpose().map_err(usage)? },
        (_, Some(stage)) => {
            return Err(usage(format!(
                "--stage {stage} is for --emulate aws alone: no other cloud has stages"
            )));
        }
        ("azure", None) => Cloud::Azure,
        ("gcp", None) => Cloud::Gcp,
        (_, None) => return Ok(None),
    };
    if !cloud.is_built() {
        return Err(Failure::not_built(&format!("local --emulate {name}"), cloud.feature()));
    }
    Ok(Some(cloud))
}

/// A stage as an HTTP API takes one: letters, digits, `-` and `_`, 128 of them at the most.
fn named(stage: String) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=128).contains(&stage.len()) && stage.chars().all(good) {
        return Ok(stage);
    }
    Err(format!("the stage {stage:?} is none: it has letters, digits, - and _, at most 128 of them"))
}

/// Where this user's programs keep their data, by the rule of the system.
fn data_folder() -> Result<PathBuf, Error> {
    etcetera::base_strategy::choose_native_strategy()
        .map(|folders| folders.data_dir().join("autopgo"))
        .map_err(|error| {
            Error::new(Kind::Invalid, "this user has no data folder; name one with --data-dir").because(error)
        })
}
