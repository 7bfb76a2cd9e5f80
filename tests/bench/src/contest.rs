//! Entrants that are measured in turns, A B C A B C, so that what else the machine does meets them alike; medians of
//! their rounds. Each turn is a process of its own.

use std::time::Duration;

use crate::error::Error;
use crate::program::{Program, Words};

pub(crate) struct Contest<'a> {
    name: &'a str,
    rounds: usize,
    entrants: Vec<Entrant<'a>>,
}

struct Entrant<'a> {
    name: &'static str,
    program: &'a Program,
    warm: bool,
    words: Words,
}

/// Names an entrant, to ask for its score.
#[derive(Clone, Copy)]
pub(crate) struct Place(usize);

/// The medians of an entrant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Score {
    pub(crate) time: Duration,
    /// The most memory its process ever had, in bytes.
    pub(crate) peak: u64,
}

pub(crate) struct Scores(Vec<Score>);

impl Scores {
    pub(crate) fn of(&self, place: Place) -> Score {
        // A place comes from the contest that these are the scores of.
        self.0[place.0]
    }

    /// The peak of one above that of another, which did nothing: in bytes.
    pub(crate) fn above(&self, place: Place, idle: Place) -> u64 {
        self.of(place).peak.saturating_sub(self.of(idle).peak)
    }
}

impl<'a> Contest<'a> {
    pub(crate) fn new(name: &'a str, rounds: usize) -> Self {
        Self { name, rounds, entrants: Vec::new() }
    }

    /// Enters a job that is done for a while before it is timed.
    pub(crate) fn enter(&mut self, name: &'static str, program: &'a Program, words: Words) -> Place {
        self.entrants.push(Entrant { name, program, warm: true, words });
        Place(self.entrants.len() - 1)
    }

    /// Enters a job that is timed at once: one that is long, or does nothing.
    pub(crate) fn enter_cold(&mut self, name: &'static str, program: &'a Program, words: Words) -> Place {
        self.entrants.push(Entrant { name, program, warm: false, words });
        Place(self.entrants.len() - 1)
    }

    pub(crate) fn run(self) -> Result<Scores, Error> {
        let mut rounds: Vec<Vec<(u64, u64)>> = vec![Vec::new(); self.entrants.len()];
        for round in 1..=self.rounds {
            let mut said = format!("{}: round {round} of {}:", self.name, self.rounds);
            for (entrant, taken) in self.entrants.iter().zip(&mut rounds) {
                let report = entrant.program.run(entrant.warm, &entrant.words)?;
                taken.push((report.nanos, report.peak_bytes));
                if report.nanos > 0 {
                    said.push_str(&format!(" {} {:.1} ms,", entrant.name, report.nanos as f64 / 1e6));
                }
            }
            eprintln!("{}", said.trim_end_matches(','));
        }
        Ok(Scores(rounds.iter().map(|rounds| score(rounds)).collect()))
    }
}

fn score(rounds: &[(u64, u64)]) -> Score {
    let nanos = median(rounds.iter().map(|(nanos, _)| *nanos).collect());
    Score { time: Duration::from_nanos(nanos), peak: median(rounds.iter().map(|(_, peak)| *peak).collect()) }
}

/// The middle one, or the mean of the middle two.
fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    let middle = values.len() / 2;
    match (values.len() % 2, values.get(middle.wrapping_sub(1)), values.get(middle)) {
        (0, Some(&low), Some(&high)) => low.midpoint(high),
        (_, _, Some(&value)) => value,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, expected) in
            [(&[7][..], 7), (&[9, 1], 5), (&[3, 1, 2], 2), (&[4, 100, 1, 2], 3), (&[], 0)]
        {
            assert_eq!(median(values.to_vec()), expected, "{values:?}");
        }
    }

    #[test]
    fn time_and_memory_are_taken_apart() {
        let score = score(&[(1, 30), (2, 10), (3, 20)]);
        assert_eq!(score, Score { time: Duration::from_nanos(2), peak: 20 });
    }
}
