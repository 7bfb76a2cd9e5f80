//! The compiler's view of a profile: weighted call edges, in the compiler's order. `go tool preprofile`
//! writes exactly these, and the go command hashes that text into every build: so its SHA-256 says
//! whether another profile makes another binary (Go 1.23 and later).

mod alike;
mod calls;
mod counted;
mod counting;
mod key;
mod ordered;
mod own;
mod part;
mod places;
mod plan;
mod sums;
mod twins;
mod weights;

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};

pub(crate) use self::calls::{Call, Calls, NamedCalls, Take};
use crate::error::Error;
use crate::profile::Profile;
use crate::strings::{Selection, Str, Strings};

/// The first line of what `go tool preprofile` writes (cmd/internal/pgo/serialize.go).
const PREPROFILE: &str = "GO PREPROFILE V1\n";

/// All call edges of a profile, the heaviest first; equal weights by caller, callee and offset.
#[derive(Clone)]
pub struct Edges {
    names: Strings,
    edges: Vec<Row>,
    total: i64,
}

#[derive(Clone, Copy)]
struct Row {
    caller: Str,
    callee: Str,
    offset: i64,
    weight: i64,
}

/// One call edge. Bytes of names that are not UTF-8 show as U+FFFD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge<'a> {
    /// The calling function, by its linker symbol name.
    pub caller: Cow<'a, str>,
    /// The called function.
    pub callee: Cow<'a, str>,
    /// The line of the call, counted from the first line of the caller.
    pub offset: i64,
    /// The sum of the first of `samples/count` and `cpu/nanoseconds` that the profile has.
    pub weight: i64,
}

impl Edges {
    /// Counts the edges as the compiler does. No edges when there is no sample, or none but zeroes.
    ///
    /// # Errors
    /// `Unusable` for what the compiler refuses, and for negative weights and sums past 64 bits, of which
    /// it would make nonsense.
    pub fn of(profile: &Profile) -> Result<Self, Error> {
        let calls = Calls::of(profile, Take::Weight)?;
        let mut names = Selection::of(&profile.strings);
        let row = |(call, weight): (Call, i64)| Row {
            caller: names.take(call.caller),
            callee: names.take(call.callee),
            offset: call.offset,
            weight,
        };
        let edges = calls.weighted().map(row).collect();
        Ok(Self { edges, total: calls.total(), names: names.done() })
    }

    /// How many edges there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.edges.len()
    }

    /// Whether there is none: the compiler then ignores the profile.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// The sum of all weights.
    #[must_use]
    pub fn total_weight(&self) -> i64 {
        self.total
    }

    /// The edges in the compiler's order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Edge<'_>> {
        self.edges.iter().map(|row| Edge {
            caller: self.names.text(row.caller),
            callee: self.names.text(row.callee),
            offset: row.offset,
            weight: row.weight,
        })
    }

    /// How many of the first edges are hot: those that together pass `percent` of the total weight, the
    /// one that crosses it included. The compiler's own threshold is [`Edges::HOT_PERCENT`].
    #[must_use]
    pub fn hot(&self, percent: f64) -> usize {
        let mut sum = 0_i64;
        let crosses = |row: &Row| {
            sum += row.weight;
            sum as f64 / self.total as f64 * 100.0 > percent
        };
        self.edges.iter().position(crosses).map_or(self.edges.len(), |at| at + 1)
    }

    /// The compiler's threshold for call sites that it inlines more eagerly
    /// (cmd/compile/internal/inline: `-d=pgoinlinecdfthreshold`).
    pub const HOT_PERCENT: f64 = 99.0;

    /// What `go tool preprofile` writes for the profile.
    #[must_use]
    pub fn preprofile(&self) -> Vec<u8> {
        let mut text = Vec::new();
        self.serialize(&mut |part| text.extend_from_slice(part));
        text
    }

    /// The build identity: with the same one, and the same file name, Go 1.23 and later build the same
    /// binary.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let mut hash = Sha256::new();
        self.serialize(&mut |part| hash.update(part));
        Identity(hash.finalize().into())
    }

    fn serialize(&self, write: &mut dyn FnMut(&[u8])) {
        write(PREPROFILE.as_bytes());
        for row in &self.edges {
            for name in [row.caller, row.callee] {
                write(self.names.bytes(name));
                write(b"\n");
            }
            write(format!("{} {}\n", row.offset, row.weight).as_bytes());
        }
    }
}

impl fmt::Debug for Edges {
    /// A summary: there can be millions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edges")
            .field("len", &self.len())
            .field("total_weight", &self.total)
            .finish_non_exhaustive()
    }
}

/// The SHA-256 of what `go tool preprofile` makes of a profile; shown as lower-case hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity(pub [u8; 32]);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use std::iter::repeat_n;

    use super::*;
    use crate::ErrorKind;
    use crate::example::cpu;

    fn check(stacks: &[&str], expected: &[&str]) {
        let edges = Edges::of(&cpu(stacks)).unwrap();
        let shown: Vec<String> = edges
            .iter()
            .map(|edge| format!("{} {}>{}+{}", edge.weight, edge.caller, edge.callee, edge.offset))
            .collect();
        assert_eq!(shown, expected, "{stacks:?}");
    }

    #[test]
    fn only_the_leaf_and_its_caller_count() {
        check(&["3: leaf;caller;main"], &["3 caller>leaf+2"]);
        check(&["3: leaf"], &[]);
        check(&["3: a/b;c/d;e/f"], &["3 b>a+2", "3 c>b+2", "3 d>c+2"]);
    }

    #[test]
    fn heavier_edges_come_first_then_names() {
        check(&["1: a;m", "2: b;m", "1: a;l", "2: c;m"], &["2 m>b+2", "2 m>c+2", "1 l>a+2", "1 m>a+2"]);
    }

    #[test]
    fn an_edge_counts_once_a_sample() {
        // The same function, line and address is one node: no edge from it to itself.
        check(&["3: f;f;main"], &[]);
        // Another address is another node.
        check(&["3: f;f/f;main"], &["3 f>f+2"]);
        check(&["3: a/b/a/b/a;main"], &["3 a>b+2", "3 b>a+2", "3 main>a+2"]);
    }

    #[test]
    fn edges_that_two_locations_share_count_once() {
        let mut profile = cpu(&["3: a/b;x/a/b;main", "2: a/b;main"]);
        profile.locations.iter_mut().for_each(|location| location.address = 7);
        let text = String::from_utf8(Edges::of(&profile).unwrap().preprofile()).unwrap();
        assert_eq!(text, "GO PREPROFILE V1\nb\na\n2 5\na\nx\n2 3\nx\nb\n2 3\nmain\nb\n2 2\n");
    }

    #[test]
    fn a_link_that_a_location_has_as_its_own_counts_once() {
        // x calls y within the caller's location, or within the leaf's, and again from one to the other.
        for (stack, expected) in
            [("3: y;x/y/x;main", "x\ny\n2 3\ny\nx\n2 3\n"), ("3: y/x/y;x;main", "x\ny\n2 3\ny\nx\n2 3\n")]
        {
            let mut profile = cpu(&[stack]);
            profile.locations.iter_mut().for_each(|location| location.address = 7);
            let text = String::from_utf8(Edges::of(&profile).unwrap().preprofile()).unwrap();
            assert_eq!(text, format!("GO PREPROFILE V1\n{expected}"), "{stack}");
        }
    }

    #[test]
    fn nothing_is_only_a_header() {
        for profile in [Profile::empty_cpu(), cpu(&["0: leaf;main"]), cpu(&["3: main"])] {
            let edges = Edges::of(&profile).unwrap();
            assert!(edges.is_empty());
            assert_eq!((edges.total_weight(), edges.hot(99.0)), (0, 0));
            assert_eq!(edges.preprofile(), b"GO PREPROFILE V1\n");
            let expected = "2d7296be3e63b1a7";
            assert_eq!(&edges.identity().to_string()[..16], expected);
        }
    }

    #[test]
    fn the_edge_that_crosses_the_threshold_is_hot() {
        let edges = Edges::of(&cpu(&["60: a;m", "30: b;m", "9: c;m", "1: d;m"])).unwrap();
        for (percent, hot) in [(0.0, 1), (59.9, 1), (60.0, 2), (89.0, 2), (98.9, 3), (99.0, 4), (100.0, 4)] {
            assert_eq!(edges.hot(percent), hot, "{percent}");
        }
    }

    #[test]
    fn what_the_compiler_refuses_is_refused() {
        let mut negative = cpu(&["1: a;m", "1: b;m"]);
        negative.samples.values_mut(1)[0] = -1;
        assert_eq!(Edges::of(&negative).unwrap_err().kind(), ErrorKind::Unusable);
        let mut sum = cpu(&["1: a;m", "1: b;m"]);
        sum.samples.values_mut(0)[0] = i64::MAX;
        assert_eq!(Edges::of(&sum).unwrap_err().kind(), ErrorKind::Unusable);
        // One call at two addresses of a stack: its edge's sum wraps to -2, and with the other's fits again.
        let mut twice = cpu(&["1: leaf/main;leaf/main"]);
        twice.samples.values_mut(0)[0] = i64::MAX;
        let elsewhere = crate::profile::Location { id: 2, address: 7, ..twice.locations[0].clone() };
        twice.locations.push(elsewhere);
        twice.samples.frames[1] = 1;
        assert_eq!(Edges::of(&twice).unwrap_err().kind(), ErrorKind::Unusable);
        assert_eq!(crate::compact(&twice).unwrap_err().kind(), ErrorKind::Unusable);
        // So are sums of locations that are alike, which are added up together where there are many.
        let mut many = twice.clone();
        many.locations.extend(repeat_n(&twice.locations[0], sums::FAR).cloned());
        assert_eq!(Edges::of(&many).unwrap_err().kind(), ErrorKind::Unusable);
        // Each edge's sum fits, all of them together do not.
        let mut total = cpu(&["1: a/b/c;m"]);
        total.samples.values_mut(0)[0] = i64::MAX;
        assert_eq!(Edges::of(&total).unwrap_err().kind(), ErrorKind::Unusable);
    }
}
