//! The buckets and what is in them.

use std::collections::{BTreeMap, HashMap};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::upload::Session;

/// Everything there is.
#[derive(Default)]
pub(super) struct World {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    /// The newest generation of any object. It is never used again, not even after a deletion.
    generation: i64,
    /// Uploads that are under way.
    pub(super) sessions: HashMap<String, Session>,
}

/// An object, as its last write left it.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    pub(super) generation: i64,
    pub(super) content_type: String,
    pub(super) written: Timestamp,
}

/// What a request makes itself dependent on
/// (<https://cloud.google.com/storage/docs/request-preconditions>).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Conditions {
    generation: Option<i64>,
    not_generation: Option<i64>,
    metageneration: Option<i64>,
    not_metageneration: Option<i64>,
}

/// Metadata is never changed here.
const METAGENERATION: i64 = 1;

impl Conditions {
    /// Those of a JSON request; with `Source` in the middle, those on what is copied.
    pub(super) fn of(query: &HashMap<String, String>, middle: &str) -> Result<Self, Refusal> {
        let read = |name: &str| {
            let name = format!("if{middle}{name}");
            let number = query.get(&name).map(|text| text.parse()).transpose();
            number.map_err(|_| Refusal::invalid(format!("Invalid value for {name}")))
        };
        Ok(Self {
            generation: read("GenerationMatch")?,
            not_generation: read("GenerationNotMatch")?,
            metageneration: read("MetagenerationMatch")?,
            not_metageneration: read("MetagenerationNotMatch")?,
        })
    }

    /// Those of an XML request.
    pub(super) fn generation(generation: Option<i64>) -> Self {
        Self { generation, ..Self::default() }
    }

    /// 0 is the generation of what is not there. What was to be another and is not is no error of who reads.
    pub(super) fn check(&self, object: Option<&Object>, reads: bool) -> Result<(), Refusal> {
        let generation = object.map_or(0, |object| object.generation);
        let metageneration = object.map_or(0, |_| METAGENERATION);
        let is = |wanted: Option<i64>, it: i64| wanted.is_none_or(|wanted| wanted == it);
        let is_not = |wanted: Option<i64>, it: i64| wanted.is_none_or(|wanted| wanted != it);
        if !is(self.generation, generation) || !is(self.metageneration, metageneration) {
            return Err(Refusal::condition());
        }
        if is_not(self.not_generation, generation) && is_not(self.not_metageneration, metageneration) {
            return Ok(());
        }
        Err(if reads { Refusal::unchanged() } else { Refusal::condition() })
    }
}

impl World {
    /// Whether it was not there before.
    pub(super) fn make(&mut self, bucket: &str) -> bool {
        let there = self.buckets.contains_key(bucket);
        self.buckets.entry(bucket.to_owned()).or_default();
        !there
    }

    pub(super) fn names(&self, bucket: &str) -> Vec<(String, String)> {
        let objects = self.buckets.get(bucket).into_iter().flatten();
        objects.map(|(name, object)| (name.clone(), object.content_type.clone())).collect()
    }

    pub(super) fn bucket(&self, bucket: &str) -> Result<&BTreeMap<String, Object>, Refusal> {
        self.buckets.get(bucket).ok_or_else(Refusal::no_bucket)
    }

    /// An object, if the conditions hold. `generation` is the one that is wanted: all but the newest are gone.
    pub(super) fn read(
        &self,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
        conditions: Conditions,
    ) -> Result<Object, Refusal> {
        let object = self.bucket(bucket)?.get(name);
        let wanted = object.filter(|object| generation.is_none_or(|wanted| wanted == object.generation));
        match wanted {
            // A condition on what is not there does not hold, if it wants something.
            None if conditions.generation.is_some_and(|wanted| wanted != 0) => Err(Refusal::condition()),
            None => Err(Refusal::no_object(bucket, name)),
            Some(object) => conditions.check(Some(object), true).map(|()| object.clone()),
        }
    }

    /// Writes an object, if the conditions hold.
    pub(super) fn write(
        &mut self,
        bucket: &str,
        name: &str,
        bytes: Bytes,
        content_type: &str,
        conditions: Conditions,
    ) -> Result<Object, Refusal> {
        let now = Timestamp::now();
        let objects = self.buckets.get_mut(bucket).ok_or_else(Refusal::no_bucket)?;
        if name.is_empty() || name.len() > 1024 || name.contains(['\r', '\n']) || matches!(name, "." | "..") {
            // https://cloud.google.com/storage/docs/objects#naming
            return Err(Refusal::invalid("Invalid object name."));
        }
        conditions.check(objects.get(name), false)?;
        self.generation = now.as_microsecond().max(self.generation + 1);
        let content_type = if content_type.is_empty() { "application/octet-stream" } else { content_type };
        let object = Object {
            bytes,
            generation: self.generation,
            content_type: content_type.to_owned(),
            written: now,
        };
        objects.insert(name.to_owned(), object.clone());
        Ok(object)
    }

    pub(super) fn delete(&mut self, bucket: &str, name: &str, conditions: Conditions) -> Result<(), Refusal> {
        let objects = self.buckets.get_mut(bucket).ok_or_else(Refusal::no_bucket)?;
        let Some(object) = objects.get(name) else { return Err(Refusal::no_object(bucket, name)) };
        conditions.check(Some(object), false)?;
        objects.remove(name);
        Ok(())
    }
}

impl Object {
    /// As the JSON API describes it (<https://cloud.google.com/storage/docs/json_api/v1/objects#resource>). 64-bit
    /// numbers are text.
    pub(super) fn resource(&self, bucket: &str, name: &str) -> Value {
        let generation = self.generation.to_string();
        let time = millis(self.written);
        json!({
            "kind": "storage#object",
            "id": format!("{bucket}/{name}/{generation}"),
            "name": name,
            "bucket": bucket,
            "generation": generation,
            "metageneration": METAGENERATION.to_string(),
            "contentType": self.content_type,
            "storageClass": "STANDARD",
            "size": self.bytes.len().to_string(),
            "crc32c": self.crc32c(),
            "etag": self.etag(),
            "timeCreated": time,
            "updated": time,
            "timeStorageClassUpdated": time,
        })
    }

    /// The checksum as GCS writes it: base64 of the big-endian bytes.
    pub(super) fn crc32c(&self) -> String {
        crc32c(&self.bytes)
    }

    pub(super) fn etag(&self) -> String {
        BASE64_STANDARD.encode(self.generation.to_be_bytes())
    }
}

/// <https://cloud.google.com/storage/docs/hashes-etags>
pub(super) fn crc32c(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(crc32c::crc32c(bytes).to_be_bytes())
}

/// GCS knows milliseconds.
fn millis(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(pairs: &[(&str, &str)], middle: &str) -> Conditions {
        let query = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Conditions::of(&query, middle).expect("good conditions")
    }

    #[test]
    fn every_write_is_a_generation_and_conditions_are_of_it() {
        let mut world = World::default();
        let none = Conditions::default();
        assert!(world.write("b", "k", Bytes::new(), "", none).is_err(), "there is no bucket");
        assert!(world.make("b") && !world.make("b"));
        let absent = conditions(&[("ifGenerationMatch", "0")], "");
        let first = world.write("b", "k", "1".into(), "", absent).expect("created").generation;
        assert!(world.write("b", "k", "2".into(), "", absent).is_err());
        let is_first = Conditions::generation(Some(first));
        let second = world.write("b", "k", "2".into(), "", is_first).expect("replaced").generation;
        assert!(second > first);
        assert!(world.write("b", "k", "3".into(), "", is_first).is_err());
        assert!(world.write("b", "other", "3".into(), "", is_first).is_err(), "of what is not there");
        assert!(world.read("b", "k", Some(first), none).is_err(), "it is gone");
        assert_eq!(world.read("b", "k", Some(second), none).expect("there").bytes, "2");
        let other = conditions(&[("ifGenerationNotMatch", &second.to_string())], "");
        assert!(world.read("b", "k", None, other).is_err());
        assert!(world.delete("b", "k", is_first).is_err());
        world.delete("b", "k", Conditions::generation(Some(second))).expect("deleted");
        assert!(world.delete("b", "k", none).is_err());
        let third = world.write("b", "k", "3".into(), "", absent).expect("created again").generation;
        assert!(third > second);
        let source = conditions(&[("ifSourceGenerationMatch", "1"), ("ifGenerationMatch", "2")], "Source");
        assert_eq!((source.generation, source.not_generation), (Some(1), None));
    }
}
