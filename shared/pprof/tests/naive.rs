//! A profile as plain structs, and the engine's work done the slow way that a child can check: texts are
//! compared as texts, lists are searched from the front, nothing is numbered until it is written. The
//! properties hold the engine against it.

pub(crate) mod edges;
pub(crate) mod merge;
pub(crate) mod prune;
pub(crate) mod random;
pub(crate) mod wire;

use std::collections::BTreeMap;

pub(crate) type Text = Vec<u8>;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub(crate) sample_types: Vec<(Text, Text)>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) locations: Vec<Location>,
    pub(crate) functions: Vec<Function>,
    pub(crate) drop_frames: Text,
    pub(crate) keep_frames: Text,
    pub(crate) time_nanos: i64,
    pub(crate) duration_nanos: i64,
    pub(crate) period_type: (Text, Text),
    pub(crate) period: i64,
    pub(crate) comments: Vec<Text>,
    pub(crate) default_sample_type: Text,
    pub(crate) doc_url: Text,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    /// Ids of locations, the leaf first.
    pub(crate) stack: Vec<u64>,
    pub(crate) values: Vec<i64>,
    pub(crate) texts: BTreeMap<Text, Vec<Text>>,
    /// Numbers and their units: none at all, or one for each number.
    pub(crate) numbers: BTreeMap<Text, (Vec<i64>, Vec<Text>)>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mapping {
    pub(crate) id: u64,
    pub(crate) start: u64,
    pub(crate) limit: u64,
    pub(crate) offset: u64,
    pub(crate) file: Text,
    pub(crate) build_id: Text,
    pub(crate) has: [bool; 4],
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Location {
    pub(crate) id: u64,
    /// The id of a mapping, 0 for none.
    pub(crate) mapping: u64,
    pub(crate) address: u64,
    pub(crate) lines: Vec<Line>,
    pub(crate) folded: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Line {
    /// The id of a function.
    pub(crate) function: u64,
    pub(crate) line: i64,
    pub(crate) column: i64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Function {
    pub(crate) id: u64,
    pub(crate) name: Text,
    pub(crate) system_name: Text,
    pub(crate) filename: Text,
    pub(crate) start_line: i64,
}

impl Model {
    pub(crate) fn location(&self, id: u64) -> &Location {
        self.locations.iter().find(|location| location.id == id).unwrap()
    }

    pub(crate) fn function(&self, id: u64) -> &Function {
        self.functions.iter().find(|function| function.id == id).unwrap()
    }
}
