//! Whether what is there can be taken: for it is taken as it is.

use async_nats::jetstream::consumer::{AckPolicy, Config as Consumer};
use async_nats::jetstream::stream::Config as Stream;
use autopgo_core::error::{Error, Kind, Result};

/// # Errors
/// The stream does not take the subject.
pub(super) fn stream(there: &Stream, subject: &str) -> Result<()> {
    if is_fed(there) || there.subjects.iter().any(|taken| covers(taken, subject)) {
        return Ok(());
    }
    let what = format!(
        "the stream {} takes {} and not {subject}; add the subject to it, or name another stream",
        there.name,
        there.subjects.join(", ")
    );
    Err(Error::new(Kind::Invalid, what))
}

/// # Errors
/// The consumer gives other messages than those of the subject, which would be acked here and seen by nobody else, or
/// forgets messages before they are acked, or cannot be asked for messages as we ask.
pub(super) fn consumer(name: &str, there: &Consumer, stream: &Stream, subject: &str) -> Result<()> {
    let takes: Vec<&str> = match there.filter_subject.as_str() {
        "" => there.filter_subjects.iter().map(String::as_str).collect(),
        one => vec![one],
    };
    let trouble = if there.deliver_subject.is_some() {
        "pushes its messages and is not asked for them".to_owned()
    } else if takes.is_empty() && !(is_all_of(stream, subject)) {
        format!("takes all of the stream and not {subject} alone")
    } else if !takes.is_empty() && takes != [subject] {
        format!("takes {} and not {subject}", takes.join(", "))
    } else if there.ack_policy != AckPolicy::Explicit {
        format!("has the ack policy {} and not explicit", policy(there.ack_policy))
    } else if there.headers_only {
        "gives headers only".to_owned()
    } else if !there.priority_groups.is_empty() {
        "has priority groups".to_owned()
    } else {
        return Ok(());
    };
    let what = format!(
        "the consumer {name} of the stream {} {trouble}; name another one with consumer=NAME, which is made if it is \
         missing",
        stream.name
    );
    Err(Error::new(Kind::Invalid, what))
}

/// Whether it has messages of other streams, under who knows which subjects.
fn is_fed(stream: &Stream) -> bool {
    stream.mirror.is_some() || stream.sources.as_ref().is_some_and(|from| !from.is_empty())
}

/// Whether a stream has no messages but those of the subject.
fn is_all_of(stream: &Stream, subject: &str) -> bool {
    !is_fed(stream) && stream.subjects.iter().all(|taken| covers(subject, taken))
}

fn policy(policy: AckPolicy) -> &'static str {
    match policy {
        AckPolicy::Explicit => "explicit",
        AckPolicy::None => "none",
        AckPolicy::All => "all",
        AckPolicy::FlowControl => "flow control",
    }
}

/// Whether whoever takes `taken` takes all of `subject`: `*` stands for one token, `>` for all that follow.
fn covers(taken: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for taken in taken.split('.') {
        match (taken, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(token)) if token != ">" => {}
            (taken, Some(token)) if taken == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_covers_what_it_takes() {
        for (taken, subject, all) in [
            ("a", "a", true),
            ("a", "b", false),
            ("a.b", "a", false),
            ("a", "a.b", false),
            ("a.*", "a.b", true),
            ("a.*", "a.*", true),
            ("a.*", "a.>", false),
            ("a.*", "a.b.c", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a.>", true),
            ("a.>", "a", false),
            (">", "a.b", true),
            ("a.b", "a.*", false),
        ] {
            assert_eq!(covers(taken, subject), all, "{taken} {subject}");
        }
    }

    #[test]
    fn a_consumer_fits_whose_messages_are_all_ours_and_wait_for_their_acks() {
        let plain = Consumer { ack_policy: AckPolicy::Explicit, ..Consumer::default() };
        let of = |filters: &[&str]| match filters {
            [one] => Consumer { filter_subject: (*one).to_owned(), ..plain.clone() },
            many => Consumer {
                filter_subjects: many.iter().map(|filter| (*filter).to_owned()).collect(),
                ..plain.clone()
            },
        };
        let ours = of(&["e.a"]);
        let listed = Consumer { filter_subjects: vec!["e.a".to_owned()], ..plain.clone() };
        for (there, subjects, says) in [
            (ours.clone(), vec!["e.a", "e.b"], None),
            (listed, vec!["e.a", "e.b"], None),
            (plain.clone(), vec!["e.a"], None),
            (plain.clone(), vec!["e.a", "e.b"], Some("takes all of the stream and not e.a alone")),
            (plain.clone(), vec!["e.*"], Some("takes all of the stream")),
            (of(&["e.b"]), vec!["e.a", "e.b"], Some("takes e.b and not e.a")),
            (of(&["e.a", "e.b"]), vec!["e.a", "e.b"], Some("takes e.a, e.b and not e.a")),
            (of(&["e.*"]), vec!["e.*"], Some("takes e.* and not e.a")),
            (
                Consumer { ack_policy: AckPolicy::All, ..ours.clone() },
                vec!["e.a"],
                Some("the ack policy all and not explicit"),
            ),
            (Consumer { ack_policy: AckPolicy::None, ..ours.clone() }, vec!["e.a"], Some("policy none")),
            (Consumer { headers_only: true, ..ours.clone() }, vec!["e.a"], Some("headers only")),
            (Consumer { priority_groups: vec!["g".to_owned()], ..ours.clone() }, vec!["e.a"], Some("groups")),
            (Consumer { deliver_subject: Some("d".to_owned()), ..ours.clone() }, vec!["e.a"], Some("pushes")),
        ] {
            let subjects = subjects.into_iter().map(str::to_owned).collect();
            let stream = Stream { name: "S".to_owned(), subjects, ..Stream::default() };
            let found = consumer("w", &there, &stream, "e.a").err();
            let told = found.as_ref().map_or("", Error::what);
            assert_eq!(found.is_some(), says.is_some(), "{told}");
            assert!(told.contains(says.unwrap_or("")), "{told}");
            if let Some(error) = &found {
                assert!(
                    error.kind() == Kind::Invalid && told.contains("consumer w of the stream S"),
                    "{told}"
                );
            }
        }
    }
}
