//! A profile as plain structs, and the engine's work done the slow way that a child can check: texts are
//! compared as texts, lists are searched from the front, nothing is numbered until it is written. The
//! properties hold the engine against it.

pub mod edges;
pub mod merge;
pub mod prune;
pub mod random;
pub mod wire;

use std::collections::BTreeMap;

pub type Text = Vec<u8>;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    pub sample_types: Vec<(Text, Text)>,
    pub samples: Vec<Sample>,
    pub mappings: Vec<Mapping>,
    pub locations: Vec<Location>,
    pub functions: Vec<Function>,
    pub drop_frames: Text,
    pub keep_frames: Text,
    pub time_nanos: i64,
    pub duration_nanos: i64,
    pub period_type: (Text, Text),
    pub period: i64,
    pub comments: Vec<Text>,
    pub default_sample_type: Text,
    pub doc_url: Text,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Ids of locations, the leaf first.
    pub stack: Vec<u64>,
    pub values: Vec<i64>,
    pub texts: BTreeMap<Text, Vec<Text>>,
    /// Numbers and their units: none at all, or one for each number.
    pub numbers: BTreeMap<Text, (Vec<i64>, Vec<Text>)>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    pub id: u64,
    pub start: u64,
    pub limit: u64,
    pub offset: u64,
    pub file: Text,
    pub build_id: Text,
    pub has: [bool; 4],
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Location {
    pub id: u64,
    /// The id of a mapping, 0 for none.
    pub mapping: u64,
    pub address: u64,
    pub lines: Vec<Line>,
    pub folded: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    /// The id of a function.
    pub function: u64,
    pub line: i64,
    pub column: i64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Function {
    pub id: u64,
    pub name: Text,
    pub system_name: Text,
    pub filename: Text,
    pub start_line: i64,
}

impl Model {
    pub fn location(&self, id: u64) -> &Location {
        self.locations.iter().find(|location| location.id == id).unwrap()
    }

    pub fn function(&self, id: u64) -> &Function {
        self.functions.iter().find(|function| function.id == id).unwrap()
    }
}
