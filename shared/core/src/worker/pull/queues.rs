//! Which messages wait for what: each application has a queue, and is worked on once at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::app::App;

/// Queues of messages `M`, one an application. While one is worked on its messages gather, so that they become one merge.
pub(super) struct Queues<M> {
    /// None of these is empty.
    waiting: BTreeMap<App, VecDeque<M>>,
    /// What can be worked on, whoever waits longest first: those that wait and are not busy.
    ready: VecDeque<App>,
    busy: BTreeSet<App>,
}

impl<M> Default for Queues<M> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), ready: VecDeque::new(), busy: BTreeSet::new() }
    }
}

impl<M> Queues<M> {
    pub(super) fn push(&mut self, app: App, message: M) {
        if !self.busy.contains(&app) && !self.waiting.contains_key(&app) {
            self.ready.push_back(app.clone());
        }
        self.waiting.entry(app).or_default().push_back(message);
    }

    /// The next application and at most `most` of its messages. It is busy until [`done`](Self::done).
    pub(super) fn next(&mut self, most: usize) -> Option<(App, Vec<M>)> {
        let app = self.ready.pop_front()?;
        let mut queue = self.waiting.remove(&app).unwrap_or_default();
        let rest = queue.split_off(most.min(queue.len()));
        if !rest.is_empty() {
            self.waiting.insert(app.clone(), rest);
        }
        self.busy.insert(app.clone());
        Some((app, queue.into()))
    }

    /// It is busy no more. What it has left stands behind whatever is ready.
    pub(super) fn done(&mut self, app: App) {
        self.busy.remove(&app);
        if self.waiting.contains_key(&app) {
            self.ready.push_back(app);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(name: &str) -> App {
        App::parse(name).expect("a good name")
    }

    #[test]
    fn what_comes_while_an_application_is_busy_gathers() {
        let mut queues = Queues::default();
        queues.push(app("a"), 1);
        assert_eq!(queues.next(10), Some((app("a"), vec![1])));
        queues.push(app("a"), 2);
        queues.push(app("a"), 3);
        assert_eq!(queues.next(10), None);
        queues.done(app("a"));
        assert_eq!(queues.next(10), Some((app("a"), vec![2, 3])));
        queues.done(app("a"));
        assert_eq!(queues.next(10), None);
    }

    #[test]
    fn whoever_waits_longest_is_next_and_one_with_much_stands_behind_again() {
        let mut queues = Queues::default();
        for number in 0..5 {
            queues.push(app("a"), number);
        }
        queues.push(app("b"), 5);
        assert_eq!(queues.next(2), Some((app("a"), vec![0, 1])));
        queues.done(app("a"));
        queues.push(app("c"), 6);
        assert_eq!(queues.next(2), Some((app("b"), vec![5])));
        assert_eq!(queues.next(2), Some((app("a"), vec![2, 3])));
        assert_eq!(queues.next(2), Some((app("c"), vec![6])));
        assert_eq!(queues.next(2), None, "all are busy");
        queues.done(app("a"));
        assert_eq!(queues.next(2), Some((app("a"), vec![4])));
    }
}
