//! Rounds under a clock that stands still until everybody waits: what happens when is exact.

use std::collections::BTreeMap;
use std::sync::Mutex;

use autopgo_core::app::App;
use tokio::time::{Instant, advance, sleep};

use super::*;

const FREQUENCY: Duration = Duration::from_secs(60);

/// Work that takes `length` for each target (by its host) and writes down when.
struct Diary {
    begun: Instant,
    length: Box<dyn Fn(&str) -> Duration + Send + Sync>,
    entries: Mutex<Vec<Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    host: String,
    from: Duration,
    to: Option<Duration>,
}

#[async_trait]
impl Work for Diary {
    async fn scrape(&self, target: &Target, _stop: &CancellationToken) {
        let host = target.url().host_str().unwrap_or_default().to_owned();
        let length = (self.length)(&host);
        let entry = Entry { host, from: self.begun.elapsed(), to: None };
        let index = {
            let mut entries = self.entries.lock().expect("entries");
            entries.push(entry);
            entries.len() - 1
        };
        assert!(length != PANIC, "as planned");
        sleep(length).await;
        self.entries.lock().expect("entries")[index].to = Some(self.begun.elapsed());
    }
}

/// The length of work that panics.
const PANIC: Duration = Duration::MAX;

/// A run of rounds.
struct Run {
    diary: Arc<Diary>,
    targets: watch::Sender<Targets>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn targets<S: AsRef<str>>(hosts: impl IntoIterator<Item = S>) -> Targets {
    let app = App::parse("app").expect("good");
    let target = |host: S| Target::new(&format!("http://{}", host.as_ref()), "", app.clone()).expect("good");
    hosts.into_iter().map(|host| Arc::new(target(host))).collect()
}

fn start(
    sample_size: usize,
    known: Targets,
    length: impl Fn(&str) -> Duration + Send + Sync + 'static,
) -> Run {
    let diary = Diary { begun: Instant::now(), length: Box::new(length), entries: Mutex::default() };
    let diary = Arc::new(diary);
    let (sender, receiver) = watch::channel(known);
    let stop = CancellationToken::new();
    let sample_size = NonZeroUsize::new(sample_size).expect("above 0");
    let rounds = Rounds { frequency: FREQUENCY, sample_size, grace: Duration::from_secs(8) };
    let (work, stopped) = (Arc::clone(&diary), stop.clone());
    let task = tokio::spawn(async move { rounds.run(work, receiver, &stopped).await });
    Run { diary, targets: sender, stop, task }
}

impl Run {
    fn entries(&self) -> Vec<Entry> {
        self.diary.entries.lock().expect("entries").clone()
    }

    /// When the work on `host` began, in seconds.
    fn begins(&self, host: &str) -> Vec<u64> {
        self.entries().iter().filter(|entry| entry.host == host).map(|entry| entry.from.as_secs()).collect()
    }

    /// The most that were in hand at one moment.
    fn most_at_once(&self) -> usize {
        let entries = self.entries();
        let at_once = |moment| {
            let over = |entry: &&Entry| entry.to.is_none_or(|to| to > moment);
            entries.iter().filter(|entry| entry.from <= moment).filter(over).count()
        };
        entries.iter().map(|entry| at_once(entry.from)).max().unwrap_or_default()
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[tokio::test(start_paused = true)]
async fn the_first_round_is_at_once_and_ticks_do_not_drift() {
    // 59.9 s of work leave nothing of the interval: a pause after the work would show.
    let run = start(2, targets(["a", "b"]), |_| Duration::from_millis(59_900));
    sleep(secs(185)).await;
    for host in ["a", "b"] {
        assert_eq!(run.begins(host), [0, 60, 120, 180]);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_standstill_rounds_are_where_they_would_have_been() {
    let run = start(1, targets(["a"]), |_| secs(1));
    sleep(secs(5)).await;
    // The process stood still for half an hour.
    advance(secs(1_800)).await;
    sleep(secs(120)).await;
    let begins = run.begins("a");
    assert!(begins.len() <= 4, "{begins:?}");
    assert!(begins[2..].iter().all(|at| at % 60 == 0), "{begins:?}");
}

#[tokio::test(start_paused = true)]
async fn never_more_than_the_sample_size_and_each_target_as_often_as_another() {
    let hosts: Vec<_> = (0..10).map(|number| format!("h{number}")).collect();
    let run = start(3, targets(&hosts), |_| secs(30));
    sleep(secs(60 * 600 - 1)).await;
    assert_eq!(run.entries().len(), 3 * 600);
    assert_eq!(run.most_at_once(), 3);
    let mut counts = BTreeMap::new();
    for entry in run.entries() {
        *counts.entry(entry.host).or_insert(0) += 1;
    }
    // 180 expected; six standard deviations are 68.
    assert!(counts.len() == 10 && counts.values().all(|count| (112..248).contains(count)), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn work_longer_than_the_frequency_does_not_overlap_itself() {
    let run = start(5, targets(["slow", "fast"]), |host| secs(if host == "slow" { 150 } else { 1 }));
    sleep(secs(400)).await;
    assert_eq!(run.begins("slow"), [0, 180, 360]);
    assert_eq!(run.begins("fast"), [0, 60, 120, 180, 240, 300, 360]);
}

#[tokio::test(start_paused = true)]
async fn work_in_hand_takes_up_the_sample_size() {
    let run = start(2, targets(["a", "b", "c", "d"]), |_| secs(90));
    sleep(secs(239)).await;
    // At 60 and 180 both places are taken still.
    let begins: Vec<_> = run.entries().iter().map(|entry| entry.from.as_secs()).collect();
    assert_eq!(begins, [0, 0, 120, 120]);
    assert_eq!(run.most_at_once(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_panic_frees_its_place() {
    let run = start(2, targets(["bad", "good"]), |host| if host == "bad" { PANIC } else { secs(1) });
    sleep(secs(130)).await;
    assert_eq!(run.begins("bad"), [0, 60, 120]);
    assert_eq!(run.begins("good"), [0, 60, 120]);
}

#[tokio::test(start_paused = true)]
async fn new_targets_are_taken_and_an_empty_set_waits_for_some() {
    let run = start(5, targets([""; 0]), |_| secs(1));
    sleep(secs(100)).await;
    run.targets.send_replace(targets(["a"]));
    sleep(secs(65)).await;
    assert_eq!(run.begins("a"), [100, 160]);
    run.targets.send_replace(targets(["b"]));
    sleep(secs(60)).await;
    assert_eq!((run.begins("a"), run.begins("b")), (vec![100, 160], vec![220]));
    run.targets.send_replace(targets([""; 0]));
    sleep(secs(600)).await;
    assert_eq!(run.entries().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_what_is_in_hand_but_not_for_ever() {
    let run = start(5, targets(["quick", "stuck"]), |host| secs(if host == "quick" { 7 } else { 3600 }));
    sleep(secs(1)).await;
    run.stop.cancel();
    run.task.await.expect("ends");
    assert_eq!(run.diary.begun.elapsed(), secs(1 + 8));
    let entries = run.diary.entries.lock().expect("entries");
    assert_eq!(entries.iter().filter(|entry| entry.to.is_some()).count(), 1);
    assert_eq!(Arc::strong_count(&run.diary), 1, "no task is left");
}

#[tokio::test(start_paused = true)]
async fn stopping_with_nothing_in_hand_is_at_once() {
    let run = start(5, targets(["a"]), |_| secs(1));
    sleep(secs(30)).await;
    run.stop.cancel();
    run.task.await.expect("ends");
    assert_eq!(run.diary.begun.elapsed(), secs(30));
}

#[test]
fn a_url_is_drawn_once_and_not_while_busy() {
    let shared =
        |app: &str| Arc::new(Target::new("http://shared", "", App::parse(app).expect("good")).expect("good"));
    let mut all: Vec<_> = targets(["a", "b"]).to_vec();
    all.extend([shared("one"), shared("two")]);
    let known: Targets = all.into();
    let hosts = |busy: &[&Url]| {
        let drawn = draw(&known, &busy.iter().copied().collect(), 10, random_below);
        let mut hosts: Vec<_> =
            drawn.iter().map(|target| target.url().host_str().unwrap_or("")).map(str::to_owned).collect();
        hosts.sort();
        hosts
    };
    assert_eq!(hosts(&[]), ["a", "b", "shared"]);
    assert_eq!(hosts(&[shared("three").url(), known[0].url()]), ["b"]);
    assert_eq!(draw(&known, &HashSet::new(), 0, random_below).len(), 0);
}
