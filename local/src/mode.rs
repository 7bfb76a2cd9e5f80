//! Embedded or by URL: what stands where a configuration says nothing.

use std::fmt::Write as _;
use std::path::Path;

use autopgo_boot::Config;
use autopgo_core::error::{Error, Kind, Result};

/// The bus of a process that has it all.
const BUS: &str = "mem://events";

/// Fills in what `config` leaves open: the store is the folder `data`, the bus is in memory.
///
/// # Errors
/// `Invalid` if one end of a bus is named and the other is not, or if the folder's name is not UTF-8.
pub fn embedded(config: Config, data: &Path) -> Result<Config> {
    let (writer, reader) = match (config.event_writer_url, config.event_reader_url) {
        (None, None) => (BUS.to_owned(), BUS.to_owned()),
        (Some(writer), Some(reader)) => (writer, reader),
        (Some(_), None) => return Err(lonely("--event-writer-url", "--event-reader-url")),
        (None, Some(_)) => return Err(lonely("--event-reader-url", "--event-writer-url")),
    };
    let store = match config.blob_store_url {
        Some(url) => url,
        None => folder_url(data)?,
    };
    Ok(Config {
        blob_store_url: Some(store),
        event_writer_url: Some(writer),
        event_reader_url: Some(reader),
        ..config
    })
}

/// The `file://` URL of a folder that is made when it is missing.
fn folder_url(folder: &Path) -> Result<String> {
    let folder = std::path::absolute(folder).map_err(|error| {
        Error::new(Kind::Invalid, format!("the data folder {}: {error}", folder.display()))
    })?;
    let path = folder.to_str().ok_or_else(|| {
        Error::new(
            Kind::Invalid,
            format!(
                "the data folder {} has a name that is not UTF-8; choose another with --data-dir",
                folder.display()
            ),
        )
    })?;
    let mut url = "file://".to_owned();
    for c in path.chars() {
        if matches!(c, '%' | '?' | '#') || c.is_control() {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(url, "%{byte:02X}");
            }
        } else {
            url.push(c);
        }
    }
    url.push_str("?create_dir=true");
    Ok(url)
}

fn lonely(named: &str, missing: &str) -> Error {
    Error::new(
        Kind::Invalid,
        format!(
            "{named} is set and {missing} is not; set both ends of the bus, or neither for one in memory"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_named_is_a_folder_and_memory() {
        let config = embedded(Config::default(), Path::new("/var/lib/auto pgo/100%?#")).expect("a config");
        assert_eq!(
            config.blob_store_url.as_deref(),
            Some("file:///var/lib/auto pgo/100%25%3F%23?create_dir=true")
        );
        assert_eq!(config.event_writer_url, config.event_reader_url);
    }

    #[test]
    fn what_is_named_stays() {
        let named = Config {
            blob_store_url: Some("mem://a".to_owned()),
            event_writer_url: Some("mem://b".to_owned()),
            event_reader_url: Some("mem://b".to_owned()),
            ..Config::default()
        };
        assert_eq!(embedded(named.clone(), Path::new("/x")).expect("a config"), named);
    }

    #[test]
    fn one_end_of_a_bus_is_an_error() {
        let config = Config { event_reader_url: Some("mem://b".to_owned()), ..Config::default() };
        let error = embedded(config, Path::new("/x")).expect_err("no writer");
        assert!(error.what().contains("--event-writer-url is not"), "{error}");
    }
}
