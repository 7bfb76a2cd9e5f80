//! A body with something that must see it to its end: whatever the tail is, it is dropped when the body is, be that
//! because the last of it is on its way or because the client went away.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

/// Bytes of a frame. A profile comes as one piece; given on like that it would all be in hyper's hands at once, and
/// the tail gone long before a slow client has it.
const PIECE: usize = 64 << 10;

/// Watches a body go by.
pub(crate) trait Watch {
    /// So many bytes went by.
    fn moved(&mut self, _bytes: usize) {}
    /// The body was read to its end. Not called for a body whose reader knew the length and stopped there.
    fn ended(&mut self) {}
}

/// A permit only has to live as long as the body.
impl Watch for tokio::sync::OwnedSemaphorePermit {}

/// A body and what hangs on it.
pub(crate) struct Tail<T> {
    body: Body,
    /// What is left of the body's last frame.
    rest: Bytes,
    tail: T,
}

impl<T: Watch + Send + Unpin + 'static> Tail<T> {
    /// `body`, watched by `tail`.
    pub(crate) fn on(body: Body, tail: T) -> Body {
        Body::new(Self { body, rest: Bytes::new(), tail })
    }
}

impl<T: Watch + Unpin> HttpBody for Tail<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    self.tail.ended();
                    return Poll::Ready(None);
                }
            }
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        self.tail.moved(length);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower().saturating_add(rest));
        if let Some(upper) = body.upper().and_then(|upper| upper.checked_add(rest)) {
            hint.set_upper(upper);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    use futures_util::stream;
    use http_body_util::BodyExt;

    /// What went by; `None` is the end.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<Option<usize>>>>);

    impl Watch for Seen {
        fn moved(&mut self, bytes: usize) {
            self.0.lock().expect("no panic").push(Some(bytes));
        }

        fn ended(&mut self) {
            self.0.lock().expect("no panic").push(None);
        }
    }

    #[tokio::test]
    async fn a_large_frame_goes_by_in_pieces_and_nothing_is_lost() {
        let bytes: Bytes = (0..PIECE * 2 + 7).map(|i| i as u8).collect();
        let seen = Seen::default();
        let mut body = Tail::on(Body::from(bytes.clone()), seen.clone());
        let mut got = Vec::new();
        while let Some(frame) = body.frame().await {
            got.extend_from_slice(&frame.expect("memory").into_data().expect("data"));
            assert_eq!(body.size_hint().exact(), Some((bytes.len() - got.len()) as u64));
            assert_eq!(body.is_end_stream(), got.len() == bytes.len());
        }
        assert_eq!(got, bytes);
        assert_eq!(*seen.0.lock().expect("no panic"), [Some(PIECE), Some(PIECE), Some(7), None]);
    }

    #[tokio::test]
    async fn an_empty_frame_and_an_error_go_by_too() {
        let frames = [Ok(Bytes::new()), Ok("a".into()), Err(std::io::Error::other("broken"))];
        let seen = Seen::default();
        let mut body = Tail::on(Body::from_stream(stream::iter(frames)), seen.clone());
        let mut lengths = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            lengths.push(frame.into_data().expect("data").len());
        }
        assert_eq!(lengths, [0, 1]);
        assert_eq!(*seen.0.lock().expect("no panic"), [Some(0), Some(1)]);
    }
}
