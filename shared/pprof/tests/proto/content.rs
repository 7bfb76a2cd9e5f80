//! What is in a profile, in whatever order: ids and indices become what they stand for, then everything is sorted.
//! The accumulator's result, which has an order of its own, is held against google/pprof's by this.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::{self, Debug};

use autopgo_pprof::proto::{self, Message};

use super::{Book, FunctionText, MappingText, Place, Text};

/// The first thing in which two profiles, as they are before gzip, differ other than by the order of samples and
/// tables. Every field counts. So does the order where it says something: of types, comments, frames, lines and the
/// labels of one key; and which mapping is the first, since that is the main binary.
pub(crate) fn difference(one: &[u8], other: &[u8]) -> Option<String> {
    let messages = [one, other].map(proto::Profile::decode);
    let [Ok(one), Ok(other)] = &messages else {
        return Some(format!("not both are protobufs: {:?}", messages.map(Result::err)));
    };
    let (a, b) = (Book::of(one), Book::of(other));
    unequal("header", &a.header(), &b.header())
        .or_else(|| unequal_lists("first mapping", first_mapping(&a), first_mapping(&b)))
        .or_else(|| unequal_lists("mapping", mappings(&a), mappings(&b)))
        .or_else(|| unequal_lists("function", functions(&a), functions(&b)))
        .or_else(|| unequal_lists("location", locations(&a), locations(&b)))
        .or_else(|| unequal_lists("text", texts(&a), texts(&b)))
        .or_else(|| unequal_lists("id", ids(&a), ids(&b)))
        .or_else(|| unequal_lists("sample", samples(&a), samples(&b)))
}

fn unequal<T: PartialEq + Debug>(what: &str, one: &T, other: &T) -> Option<String> {
    (one != other).then(|| format!("{what}: {one:?} and {other:?}"))
}

/// The first entries that are not equal when both lists are in order: the lesser of the two is in one list only.
fn unequal_lists<T: Ord + Debug>(what: &str, mut one: Vec<T>, mut other: Vec<T>) -> Option<String> {
    one.sort_unstable();
    other.sort_unstable();
    let both = (0..one.len().max(other.len())).map(|at| (one.get(at), other.get(at)));
    both.into_iter().find_map(|(one, other)| unequal(what, &one, &other))
}

fn first_mapping<'a>(book: &Book<'a>) -> Vec<MappingText<'a>> {
    mappings(book).into_iter().take(1).collect()
}

fn mappings<'a>(book: &Book<'a>) -> Vec<MappingText<'a>> {
    book.message.mapping.iter().map(|it| book.mapping(it)).collect()
}

fn functions<'a>(book: &Book<'a>) -> Vec<FunctionText<'a>> {
    book.message.function.iter().map(|it| book.function(it)).collect()
}

fn locations<'a>(book: &Book<'a>) -> Vec<Place<'a>> {
    book.message.location.iter().map(|it| book.place(it)).collect()
}

/// Each with whether it is the first, which must be the empty one.
fn texts<'a>(book: &Book<'a>) -> Vec<(bool, &'a [u8])> {
    book.message.string_table.iter().enumerate().map(|(at, text)| (at == 0, text.as_slice())).collect()
}

fn ids(book: &Book<'_>) -> Vec<(&'static str, u64)> {
    let proto::Profile { mapping, function, location, .. } = book.message;
    let mappings = mapping.iter().map(|it| ("mapping", it.id));
    let functions = function.iter().map(|it| ("function", it.id));
    mappings.chain(functions).chain(location.iter().map(|it| ("location", it.id))).collect()
}

/// A sample and all that it says.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SampleText<'a> {
    stack: Vec<Option<Frame<'a>>>,
    /// Key, text, number and unit.
    labels: Vec<(Text<'a>, Text<'a>, i64, Text<'a>)>,
    values: &'a [i64],
}

fn samples<'a>(book: &'a Book<'a>) -> Vec<SampleText<'a>> {
    let frames = frames(book);
    let sample = |it: &'a proto::Sample| {
        let label =
            |it: &proto::Label| (book.text(it.key), book.text(it.str), it.num, book.text(it.num_unit));
        let mut labels: Vec<_> = it.label.iter().map(label).collect();
        // Stable: the labels of one key are in order.
        labels.sort_by_key(|&(key, ..)| key);
        let stack = it.location_id.iter().map(|id| frames.get(id).copied()).collect();
        SampleText { stack, labels, values: &it.value }
    };
    book.message.sample.iter().map(sample).collect()
}

/// A location of one of two profiles whose locations are equal, numbered so that the numbers are, too: there are many
/// frames to compare, and much to each location.
#[derive(Clone, Copy)]
struct Frame<'a> {
    number: usize,
    place: &'a Place<'a>,
}

fn frames<'a>(book: &'a Book<'a>) -> HashMap<u64, Frame<'a>> {
    let mut places: Vec<(&Place<'_>, u64)> = book.places.iter().map(|(&id, place)| (place, id)).collect();
    places.sort_unstable();
    let same = places.chunk_by(|(a, _), (b, _)| a == b).enumerate();
    same.flat_map(|(number, same)| same.iter().map(move |&(place, id)| (id, Frame { number, place })))
        .collect()
}

impl Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

impl Ord for Frame<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number.cmp(&other.number)
    }
}

impl PartialOrd for Frame<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Frame<'_> {}

impl PartialEq for Frame<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
