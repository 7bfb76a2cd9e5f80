//! Messages of `prost` with their texts and ids resolved, compared and added up: a second way to read and to merge,
//! which shares no code with the engine's. The fuzz targets and the benchmarks use it too.

mod content;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use autopgo_pprof::proto;
pub(crate) use content::difference;

/// That both messages say the same: the header, every table in its order, every sample in its order.
pub(crate) fn same(one: &proto::Profile, other: &proto::Profile) {
    let (a, b) = (Book::of(one), Book::of(other));
    assert_eq!(a.header(), b.header());

    let all = |it: &proto::Profile| [it.mapping.len(), it.function.len(), it.location.len(), it.sample.len()];
    assert_eq!(all(one), all(other), "entries of mappings, functions, locations, samples");
    for (x, y) in one.mapping.iter().zip(&other.mapping) {
        assert_eq!((x.id, a.mapping(x)), (y.id, b.mapping(y)));
    }
    for (x, y) in one.function.iter().zip(&other.function) {
        assert_eq!((x.id, a.function(x)), (y.id, b.function(y)));
    }
    for (x, y) in one.location.iter().zip(&other.location) {
        assert_eq!((x.id, &a.places[&x.id]), (y.id, &b.places[&y.id]));
    }
    for (x, y) in one.sample.iter().zip(&other.sample) {
        assert_eq!((a.stack(x), &x.value, a.labels(x)), (b.stack(y), &y.value, b.labels(y)));
    }
}

/// The sum of all values of each sample type.
pub(crate) fn totals(message: &proto::Profile) -> Vec<i128> {
    let mut totals = vec![0; message.sample_type.len()];
    for sample in &message.sample {
        totals.iter_mut().zip(&sample.value).for_each(|(total, &value)| *total += i128::from(value));
    }
    totals
}

/// That `sum` has each sample that google/pprof would tell apart, with the sum of its values in `parts`, and none
/// other; in whatever order.
pub(crate) fn adds_up(parts: &[proto::Profile], sum: &proto::Profile) {
    let mut sums = Sums::default();
    parts.iter().for_each(|part| sums.add(part, 1));
    assert_eq!(sum.sample.len(), sums.count(), "samples");
    // Each is there once and with its sum: taken off, nothing is left.
    sums.add(sum, -1);
    assert_eq!(sums.count(), 0, "samples whose values are not the sums");
}

/// A message with its tables at hand.
struct Book<'a> {
    message: &'a proto::Profile,
    mappings: HashMap<u64, &'a proto::Mapping>,
    functions: HashMap<u64, &'a proto::Function>,
    places: HashMap<u64, Place<'a>>,
}

/// All of a message but its tables and samples.
#[derive(Debug, PartialEq)]
struct Header<'a> {
    sample_types: Vec<[Text<'a>; 2]>,
    period_type: [Text<'a>; 2],
    period: i64,
    time_nanos: i64,
    duration_nanos: i64,
    drop_frames: Text<'a>,
    keep_frames: Text<'a>,
    default_sample_type: Text<'a>,
    doc_url: Text<'a>,
    comments: Vec<Text<'a>>,
}

/// A location and all that it says.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    address: u64,
    folded: bool,
    mapping: Option<MappingText<'a>>,
    /// Function, line and column.
    lines: Vec<(Option<FunctionText<'a>>, i64, i64)>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct FunctionText<'a> {
    name: Text<'a>,
    system_name: Text<'a>,
    filename: Text<'a>,
    start_line: i64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct MappingText<'a> {
    range: [u64; 2],
    offset: u64,
    filename: Text<'a>,
    build_id: Text<'a>,
    has: [bool; 4],
}

/// A text, or a number and its unit.
#[derive(Debug, PartialEq, Eq, Hash)]
enum LabelText<'a> {
    Text(Text<'a>),
    Number(i64, Text<'a>),
}

/// All values of a key, in their order; texts and numbers apart, as google/pprof has them.
type Labels<'a> = BTreeMap<(bool, Text<'a>), Vec<LabelText<'a>>>;

/// An entry of the string table; none where there is no such entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Text<'a>(Option<&'a [u8]>);

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            None => f.write_str("no text"),
        }
    }
}

impl<'a> Book<'a> {
    fn of(message: &'a proto::Profile) -> Self {
        let mappings = message.mapping.iter().map(|it| (it.id, it)).collect();
        let functions = message.function.iter().map(|it| (it.id, it)).collect();
        let mut book = Self { message, mappings, functions, places: HashMap::new() };
        book.places = message.location.iter().map(|it| (it.id, book.place(it))).collect();
        book
    }

    fn text(&self, at: i64) -> Text<'a> {
        let text = usize::try_from(at).ok().and_then(|at| self.message.string_table.get(at));
        Text(text.map(Vec::as_slice))
    }

    fn header(&self) -> Header<'a> {
        let kind = |kind: &proto::ValueType| [kind.r#type, kind.unit].map(|at| self.text(at));
        let it = self.message;
        Header {
            sample_types: it.sample_type.iter().map(kind).collect(),
            period_type: kind(&it.period_type.unwrap_or_default()),
            period: it.period,
            time_nanos: it.time_nanos,
            duration_nanos: it.duration_nanos,
            drop_frames: self.text(it.drop_frames),
            keep_frames: self.text(it.keep_frames),
            default_sample_type: self.text(it.default_sample_type),
            doc_url: self.text(it.doc_url),
            comments: it.comment.iter().map(|&at| self.text(at)).collect(),
        }
    }

    fn place(&self, location: &proto::Location) -> Place<'a> {
        let line = |line: &proto::Line| {
            let function = self.functions.get(&line.function_id).map(|function| self.function(function));
            (function, line.line, line.column)
        };
        Place {
            address: location.address,
            folded: location.is_folded,
            mapping: self.mappings.get(&location.mapping_id).map(|mapping| self.mapping(mapping)),
            lines: location.line.iter().map(line).collect(),
        }
    }

    fn function(&self, function: &proto::Function) -> FunctionText<'a> {
        FunctionText {
            name: self.text(function.name),
            system_name: self.text(function.system_name),
            filename: self.text(function.filename),
            start_line: function.start_line,
        }
    }

    fn mapping(&self, mapping: &proto::Mapping) -> MappingText<'a> {
        let &proto::Mapping { has_functions, has_filenames, has_line_numbers, has_inline_frames, .. } =
            mapping;
        MappingText {
            range: [mapping.memory_start, mapping.memory_limit],
            offset: mapping.file_offset,
            filename: self.text(mapping.filename),
            build_id: self.text(mapping.build_id),
            has: [has_functions, has_filenames, has_line_numbers, has_inline_frames],
        }
    }

    fn labels(&self, sample: &proto::Sample) -> Labels<'a> {
        let mut labels = Labels::new();
        for label in &sample.label {
            let value = match label {
                proto::Label { str: 0, num: 0, num_unit: 0, .. } => continue,
                proto::Label { str: 0, .. } => LabelText::Number(label.num, self.text(label.num_unit)),
                _ => LabelText::Text(self.text(label.str)),
            };
            let is_number = matches!(value, LabelText::Number(..));
            labels.entry((is_number, self.text(label.key))).or_default().push(value);
        }
        labels
    }

    fn stack(&self, sample: &proto::Sample) -> Vec<&Place<'a>> {
        sample.location_id.iter().map(|id| &self.places[id]).collect()
    }
}

/// Sums of values by what google/pprof merges by (profile/merge.go).
#[derive(Default)]
struct Sums<'a> {
    places: HashMap<PlaceKey<'a>, usize>,
    values: HashMap<(Vec<usize>, Labels<'a>), Vec<i64>>,
}

#[derive(PartialEq, Eq, Hash)]
struct PlaceKey<'a> {
    /// Pages, offset, and build id or else file.
    mapping: Option<(u64, u64, Text<'a>)>,
    /// From the mapping's start.
    address: u64,
    folded: bool,
    lines: Vec<(Option<FunctionText<'a>>, i64)>,
    /// Of the columns only the last counts.
    column: Option<i64>,
}

impl<'a> PlaceKey<'a> {
    fn of(place: &Place<'a>) -> Self {
        let mapping = |it: &MappingText<'a>| {
            let [start, limit] = it.range;
            let name = if it.build_id == Text(Some(b"")) { it.filename } else { it.build_id };
            (limit.wrapping_sub(start).wrapping_add(0xfff) / 0x1000, it.offset, name)
        };
        let start = place.mapping.as_ref().map_or(0, |mapping| mapping.range[0]);
        Self {
            mapping: place.mapping.as_ref().map(mapping),
            address: place.address.wrapping_sub(start),
            folded: place.folded,
            lines: place.lines.iter().map(|(function, line, _)| (function.clone(), *line)).collect(),
            column: place.lines.last().map(|&(_, _, column)| column),
        }
    }
}

impl<'a> Sums<'a> {
    fn add(&mut self, message: &'a proto::Profile, times: i64) {
        let book = Book::of(message);
        let mut numbers = HashMap::new();
        for (id, place) in &book.places {
            let next = self.places.len();
            numbers.insert(id, *self.places.entry(PlaceKey::of(place)).or_insert(next));
        }
        for sample in &message.sample {
            let stack = sample.location_id.iter().map(|id| numbers[id]).collect();
            let none = || vec![0; sample.value.len()];
            let sums = self.values.entry((stack, book.labels(sample))).or_insert_with(none);
            let add = |(sum, value): (&mut i64, &i64)| *sum = sum.wrapping_add(value.wrapping_mul(times));
            sums.iter_mut().zip(&sample.value).for_each(add);
        }
    }

    /// How many are not 0.
    fn count(&self) -> usize {
        self.values.values().filter(|values| values.iter().any(|&value| value != 0)).count()
    }
}
