use super::*;

const PLACE: Place = Place { topic: 0, partition: 3 };
const OTHER: Place = Place { topic: 0, partition: 4 };

/// One that has these partitions, each from offset 0 on.
fn inbox(places: &[Place]) -> Inbox {
    let inbox = Inbox::default();
    for place in places {
        assert_eq!(inbox.own(*place, Some(0)), Some(0));
    }
    inbox.settle();
    inbox
}

fn put(inbox: &Inbox, place: Place, offsets: impl IntoIterator<Item = i64>) {
    for offset in offsets {
        inbox.put(place, offset, Bytes::from(format!("{}/{offset}", place.partition)));
    }
}

fn take(inbox: &Inbox, max: usize, now: Instant) -> Vec<Delivery> {
    match inbox.take(max, now) {
        Taken::Some(batch) => batch,
        Taken::None(_) => Vec::new(),
        Taken::Trouble(error) => panic!("{error}"),
        Taken::Closed => panic!("it is closed"),
    }
}

fn bodies(batch: &[Delivery]) -> Vec<String> {
    batch.iter().map(|delivery| String::from_utf8_lossy(&delivery.body).into_owned()).collect()
}

fn heads(inbox: &Inbox) -> Vec<(i32, i64)> {
    inbox.heads().iter().map(|head| (head.place.partition, head.offset)).collect()
}

#[test]
fn what_came_is_given_out_once_and_in_order() {
    let (inbox, now) = (inbox(&[PLACE]), Instant::now());
    put(&inbox, PLACE, 0..5);
    put(&inbox, PLACE, 2..4);
    put(&inbox, OTHER, 0..9);
    assert_eq!(bodies(&take(&inbox, 3, now)), ["3/0", "3/1", "3/2"]);
    assert_eq!(bodies(&take(&inbox, 9, now)), ["3/3", "3/4"]);
    assert!(take(&inbox, 9, now).is_empty());
    assert_eq!(inbox.state().bytes, 0);
}

#[test]
fn only_what_is_done_without_a_gap_is_due() {
    let (inbox, now) = (inbox(&[PLACE, OTHER]), Instant::now());
    put(&inbox, PLACE, 0..3);
    put(&inbox, OTHER, 0..1);
    let batch = take(&inbox, 10, now);
    inbox.done(&batch[1]);
    assert_eq!(inbox.standing(&batch[1]), Standing::Behind);
    inbox.done(&batch[3]);
    assert_eq!(inbox.standing(&batch[3]), Standing::Due);
    assert_eq!(heads(&inbox), [(4, 1)]);
    inbox.done(&batch[0]);
    assert_eq!((inbox.standing(&batch[0]), inbox.standing(&batch[1])), (Standing::Due, Standing::Due));
    assert_eq!(heads(&inbox), [(3, 2), (4, 1)]);
    inbox.committed(&inbox.heads());
    assert_eq!(inbox.standing(&batch[1]), Standing::Committed);
    assert!(inbox.heads().is_empty());
    // Twice is harmless.
    inbox.done(&batch[0]);
    assert!(inbox.heads().is_empty());
}

#[test]
fn what_is_handed_back_rests_and_is_in_nobodys_way() {
    let (inbox, now) = (inbox(&[PLACE]), Instant::now());
    put(&inbox, PLACE, 0..4);
    let first = take(&inbox, 1, now);
    inbox.back(&first[0], now);
    inbox.back(&first[0], now);
    assert!(matches!(inbox.take(0, now), Taken::Some(_)));
    let later = now + Duration::from_secs(1);
    assert_eq!(bodies(&take(&inbox, 9, later)), ["3/1", "3/2", "3/3", "3/0"], "once, and behind the others");
    // Longer each time, and never for ever.
    for (times, millis) in [(2, 400), (3, 800), (8, 25_600), (9, 30_000), (40, 30_000)] {
        assert_eq!(pause(times), Duration::from_millis(millis));
    }
}

#[test]
fn a_delivery_that_was_handed_back_is_not_handed_back_by_its_first_receipt() {
    let (inbox, now) = (inbox(&[PLACE]), Instant::now());
    put(&inbox, PLACE, 0..1);
    let first = take(&inbox, 1, now);
    inbox.back(&first[0], now);
    let Taken::None(Some(due)) = inbox.take(1, now) else { panic!("it rests") };
    assert_eq!(due, now + Duration::from_millis(400));
    let second = take(&inbox, 1, due);
    inbox.back(&first[0], now);
    assert!(matches!(inbox.take(1, due + LONGEST_PAUSE), Taken::None(None)), "it is in hand");
    // But done is done, by either.
    inbox.back(&second[0], now);
    inbox.done(&first[0]);
    assert!(take(&inbox, 1, now + LONGEST_PAUSE).is_empty());
    assert_eq!(heads(&inbox), [(3, 1)]);
    assert_eq!(inbox.state().bytes, 0);
}

#[test]
fn a_partition_that_comes_back_untouched_goes_on_as_it_was() {
    let (inbox, now) = (inbox(&[PLACE]), Instant::now());
    put(&inbox, PLACE, 0..5);
    let batch = take(&inbox, 3, now);
    inbox.done(&batch[0]);
    inbox.park();
    assert!(take(&inbox, 9, now).is_empty(), "nothing of what may be somebody else's");
    inbox.done(&batch[1]);
    assert_eq!(inbox.standing(&batch[1]), Standing::Parked);
    inbox.back(&batch[2], now);
    inbox.committed(&inbox.heads());
    assert_eq!(inbox.own(PLACE, Some(2)), Some(5), "fetching goes on where it was");
    inbox.settle();
    let rest = take(&inbox, 9, now + LONGEST_PAUSE);
    assert_eq!(bodies(&rest), ["3/3", "3/4", "3/2"]);
    for delivery in &rest {
        inbox.done(delivery);
    }
    assert_eq!(heads(&inbox), [(3, 5)]);
    assert_eq!(inbox.state().bytes, 0);
}

#[test]
fn a_partition_that_somebody_else_had_begins_anew() {
    let (inbox, now) = (inbox(&[PLACE, OTHER]), Instant::now());
    put(&inbox, PLACE, 0..5);
    put(&inbox, OTHER, 0..5);
    let batch = take(&inbox, 7, now);
    inbox.park();
    assert_eq!(inbox.own(PLACE, Some(4)), Some(4), "the group is further by now");
    inbox.settle();
    assert!(take(&inbox, 9, now).is_empty(), "{:?}", "nothing of before");
    for delivery in &batch {
        inbox.done(delivery);
        inbox.back(delivery, now);
        assert_eq!(inbox.standing(delivery), Standing::Gone);
    }
    assert!(inbox.heads().is_empty());
    assert_eq!(inbox.state().bytes, 0);
    put(&inbox, PLACE, 4..5);
    put(&inbox, OTHER, 5..6);
    assert_eq!(bodies(&take(&inbox, 9, now)), ["3/4"]);
}

#[test]
fn what_is_forgotten_is_known_by_no_receipt() {
    let (inbox, now) = (inbox(&[PLACE]), Instant::now());
    put(&inbox, PLACE, 0..2);
    let batch = take(&inbox, 1, now);
    inbox.forget();
    assert_eq!(inbox.own(PLACE, None), None);
    inbox.settle();
    put(&inbox, PLACE, 0..2);
    inbox.done(&batch[0]);
    assert_eq!(inbox.standing(&batch[0]), Standing::Gone);
    assert_eq!(bodies(&take(&inbox, 9, now)), ["3/0", "3/1"]);
}

#[test]
fn it_is_full_until_little_is_left() {
    let (inbox, now) = (inbox(&[PLACE]), Instant::now());
    put(&inbox, PLACE, 0..511);
    assert!(!inbox.is_full(false));
    put(&inbox, PLACE, 511..512);
    assert!(inbox.is_full(false));
    take(&inbox, 384, now);
    assert!(inbox.is_full(true), "128 are left");
    take(&inbox, 1, now);
    assert!(!inbox.is_full(true));
    inbox.put(PLACE, 512, Bytes::from(vec![0; 4 << 20]));
    assert!(inbox.is_full(false));
}

#[test]
fn trouble_is_told_once_and_behind_what_is_there() {
    let (inbox, now) = (inbox(&[PLACE]), Instant::now());
    put(&inbox, PLACE, 0..1);
    inbox.tell(Error::new(autopgo_core::error::Kind::Denied, "no"));
    assert_eq!(take(&inbox, 1, now).len(), 1);
    assert!(matches!(inbox.take(1, now), Taken::Trouble(_)));
    assert!(matches!(inbox.take(1, now), Taken::None(None)));
    inbox.close();
    put(&inbox, PLACE, 1..2);
    assert!(matches!(inbox.take(1, now), Taken::Closed));
}
