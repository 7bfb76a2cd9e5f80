//! The compiler's view of a profile: weighted call edges, in the compiler's order. `go tool preprofile`
//! writes exactly these, and the go command hashes that text into every build: so its SHA-256 says
//! whether another profile makes another binary (Go 1.23 and later).

mod calls;

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};

pub(crate) use self::calls::{Call, Calls};
use crate::error::Error;
use crate::profile::{Profile, index};
use crate::strings::{Str, Strings};

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
        let calls = Calls::of(profile)?;
        let mut names = Strings::new();
        let mut name = |name: Str| names.intern(profile.strings.bytes(name));
        let row = |&(call, weight): &(Call, i64)| Row {
            caller: name(call.caller),
            callee: name(call.callee),
            offset: call.offset,
            weight,
        };
        let edges = calls.weighted().iter().map(row).collect();
        Ok(Self { edges, total: calls.total(), names })
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
