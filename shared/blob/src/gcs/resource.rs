//! What the JSON API says of objects (<https://cloud.google.com/storage/docs/json_api/v1/objects#resource>). 64-bit
//! numbers come as text.

use jiff::Timestamp;
use serde::Deserialize;

use super::fail::Failure;

/// Of an object, what is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    size: String,
    #[serde(default)]
    generation: String,
    updated: Option<Timestamp>,
}

impl Resource {
    /// Those of its fields that stand here.
    pub(super) const FIELDS: (&str, &str) = ("fields", "size,generation,updated");

    pub(super) fn size(&self) -> Result<u64, Failure> {
        // An empty object has none with some emulators.
        if self.size.is_empty() { Ok(0) } else { number("size", &self.size) }
    }

    pub(super) fn generation(&self) -> Result<i64, Failure> {
        number("generation", &self.generation)
    }

    pub(super) fn updated(&self) -> Result<Timestamp, Failure> {
        let time = self.updated.ok_or_else(|| Failure::Strange("an object has no time".to_owned()))?;
        whole(time.as_second())
    }
}

/// A page of a listing (<https://cloud.google.com/storage/docs/json_api/v1/objects/list>).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    #[serde(default)]
    pub(super) items: Vec<Resource>,
    pub(super) next_page_token: Option<String>,
}

impl Page {
    /// Those of its fields that stand here.
    pub(super) const FIELDS: (&str, &str) = ("fields", "items(name,size,updated),nextPageToken");
}

/// One step of a copy (<https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite>).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rewrite {
    pub(super) done: bool,
    pub(super) rewrite_token: Option<String>,
}

/// To the second, which is all that the `Last-Modified` of a read holds.
pub(super) fn whole(second: i64) -> Result<Timestamp, Failure> {
    Timestamp::from_second(second)
        .map_err(|_| Failure::Strange("an object has an impossible time".to_owned()))
}

pub(super) fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::Strange(format!("the {name} of an object is {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_text_and_times_are_whole() {
        let text = r#"{"kind": "storage#object", "name": "k", "size": "12", "generation": "1730075435311000",
            "updated": "2024-10-28T00:30:35.311Z"}"#;
        let resource: Resource = serde_json::from_str(text).expect("an object");
        assert_eq!(resource.size().expect("a size"), 12);
        assert_eq!(resource.generation().expect("a generation"), 1_730_075_435_311_000);
        assert_eq!(resource.updated().expect("a time").to_string(), "2024-10-28T00:30:35Z");
        let bare: Resource = serde_json::from_str("{}").expect("an object");
        assert_eq!(bare.size().expect("none is 0"), 0);
        assert!(bare.generation().is_err() && bare.updated().is_err());
        let page: Page = serde_json::from_str("{}").expect("an empty page");
        assert!(page.items.is_empty() && page.next_page_token.is_none());
    }
}
