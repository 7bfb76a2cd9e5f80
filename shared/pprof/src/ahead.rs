//! Many profiles at once: to read one takes longer than to add it to a sum, and nothing of it waits for another.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Builder, Scope};

/// The most threads that read ahead: beyond, adding is what takes the time.
const MOST: usize = 8;

/// Gives `take` what `read` makes of each input, in their order, until it breaks. With several cores and inputs, other
/// threads read ahead: at any time no more than three results for each core are being made or wait to be taken.
///
/// ```
/// use autopgo_pprof::{Accumulator, Limits, Profile, read_ahead};
/// use std::ops::ControlFlow;
///
/// let uploads = [Profile::empty_cpu().write(), Profile::empty_cpu().write(), b"no profile".to_vec()];
/// let (mut sum, mut refused) = (Accumulator::new(Profile::empty_cpu()), 0);
/// read_ahead(&uploads, |bytes| Profile::parse(bytes, &Limits::default()), |upload| {
///     refused += usize::from(upload.and_then(|upload| sum.add(&upload)).is_err());
///     ControlFlow::Continue(())
/// });
/// assert_eq!(refused, 1);
/// ```
pub fn read_ahead<I: Sync, R: Send>(
    inputs: &[I],
    read: impl Fn(&I) -> R + Sync,
    mut take: impl FnMut(R) -> ControlFlow<()>,
) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let lanes = cores.min(MOST).min(inputs.len());
    if lanes < 2 {
        let _ = inputs.iter().map(read).try_for_each(take);
        return;
    }
    thread::scope(|scope| {
        let read = &read;
        let lane = |lane| ahead(scope, inputs.iter().skip(lane).step_by(lanes), read);
        let lanes: Vec<Option<Receiver<R>>> = (0..lanes).map(lane).collect();
        for (input, lane) in inputs.iter().zip(lanes.iter().cycle()) {
            // Nothing comes of a thread that could not be started, or panicked: the panic goes on at the scope's end.
            let read_ahead = lane.as_ref().and_then(|lane| lane.recv().ok());
            if take(read_ahead.unwrap_or_else(|| read(input))).is_break() {
                break;
            }
        }
    });
}

/// Reads these one after another in a thread, and lets one wait. `None` if there can be no thread.
fn ahead<'scope, 'env, I: Sync + 'env, R: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    inputs: impl Iterator<Item = &'env I> + Send + 'scope,
    read: &'scope (impl Fn(&I) -> R + Sync),
) -> Option<Receiver<R>> {
    let (sender, receiver) = sync_channel(1);
    let reader = move || {
        let _ = inputs.map(read).try_for_each(|result| sender.send(result));
    };
    Builder::new().name("autopgo-read".to_owned()).spawn_scoped(scope, reader).ok().map(|_| receiver)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_the_order_of_their_inputs() {
        for count in [0, 1, 2, 3, 100] {
            let inputs: Vec<usize> = (0..count).collect();
            let mut taken = Vec::new();
            read_ahead(
                &inputs,
                |input| input * 2,
                |result| {
                    taken.push(result / 2);
                    ControlFlow::Continue(())
                },
            );
            assert_eq!(taken, inputs);
        }
    }

    #[test]
    fn little_is_read_past_a_break() {
        let (inputs, started) = ([(); 1000], AtomicUsize::new(0));
        let mut taken = 0;
        read_ahead(
            &inputs,
            |()| started.fetch_add(1, Ordering::Relaxed),
            |_| {
                taken += 1;
                if taken < 10 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            },
        );
        assert_eq!(taken, 10);
        assert!(started.into_inner() <= 10 + 3 * MOST);
    }

    #[test]
    #[should_panic]
    fn a_panic_is_passed_on() {
        read_ahead(&[0, 1], |input| assert_eq!(*input, 0), |()| ControlFlow::Continue(()));
    }
}
