//! What a connection has told of itself.

use async_nats::{ClientError, Event, ServerError};
use tokio::time::Instant;

/// What somebody wants of a connection.
#[derive(Clone)]
pub(in crate::nats) struct Wants {
    pub(in crate::nats) subject: String,
    /// By way of JetStream, which answers at addresses of its own.
    pub(in crate::nats) keeps: bool,
}

/// What it has told.
#[derive(Default)]
pub(super) struct News {
    /// Why there is no answer.
    pub(super) trouble: Option<String>,
    /// How often the server has not let us do what is wanted.
    pub(super) refusals: u64,
    /// Its last words about it and when they came, until it is known to be allowed.
    pub(super) refused: Option<(Instant, String)>,
    /// Whether the server does not let us ask for a sign of life.
    pub(super) mute: bool,
    /// Why its answers do not reach us.
    pub(super) deaf: Option<String>,
}

impl News {
    pub(super) fn hear(&mut self, event: &Event, wants: &Wants) {
        match event {
            // Whether its answers reach us it says anew. What else it lets us do, only a try tells.
            Event::Connected => (self.trouble, self.deaf) = (None, None),
            Event::ClientError(ClientError::Other(why)) => self.trouble = Some(why.clone()),
            Event::ServerError(ServerError::Other(why)) => match forbidden(why) {
                Some(subject) if subject.starts_with("_INBOX.") => {
                    self.mute = true;
                    if why.contains("Subscription") {
                        self.deaf = Some(why.clone());
                    }
                }
                Some(subject) if wants.of(subject) => {
                    self.refusals += 1;
                    self.refused = Some((Instant::now(), why.clone()));
                }
                _ => self.trouble = Some(why.clone()),
            },
            Event::ServerError(error) => self.trouble = Some(error.to_string()),
            _ => {}
        }
    }
}

impl Wants {
    fn of(&self, subject: &str) -> bool {
        subject == self.subject || (self.keeps && subject.starts_with("$JS."))
    }
}

/// Which subject it is that we may not use. The server says `Permissions Violation for Publish to "a"`, or
/// `… for Subscription to "a" using queue "q"` (nats-server, `server/client.go`).
fn forbidden(why: &str) -> Option<&str> {
    let violation = why.to_ascii_lowercase().contains("permissions violation");
    if violation { why.split('"').nth(1) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wanted_is_refused() {
        for (keeps, why, refused) in [
            (false, r#"Permissions Violation for Publish to "events""#, true),
            (false, r#"Permissions Violation for Subscription to "events" using queue "q""#, true),
            (false, r#"Permissions Violation for Publish to "events2""#, false),
            (false, r#"Permissions Violation for Publish to "e""#, false),
            (false, r#"Permissions Violation for Publish to "$JS.API.STREAM.INFO.events""#, false),
            (true, r#"Permissions Violation for Publish to "$JS.API.STREAM.INFO.S""#, true),
            (true, r#"Permissions Violation for Publish to "_INBOX.events""#, false),
            (true, "Unknown Protocol Operation events", false),
        ] {
            let mut news = News::default();
            let wants = Wants { subject: "events".to_owned(), keeps };
            news.hear(&Event::ServerError(ServerError::Other(why.to_owned())), &wants);
            assert_eq!((news.refusals == 1, news.refused.is_some()), (refused, refused), "{why}");
        }
    }

    #[test]
    fn another_connection_disproves_nothing() {
        let wants = Wants { subject: "events".to_owned(), keeps: false };
        let mut news = News::default();
        let why = r#"Permissions Violation for Publish to "events""#;
        news.hear(&Event::ServerError(ServerError::Other(why.to_owned())), &wants);
        news.hear(&Event::Connected, &wants);
        assert_eq!((news.refusals, news.refused.is_some()), (1, true));
    }
}
