//! A body with something that must see it to its end: whatever the tail is, it is dropped when the body is, be that
//! because all of it was sent or because the client went away.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

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
    tail: T,
}

impl<T: Watch + Send + Unpin + 'static> Tail<T> {
    /// `body`, watched by `tail`.
    pub(crate) fn on(body: Body, tail: T) -> Body {
        Body::new(Self { body, tail })
    }
}

impl<T: Watch + Unpin> HttpBody for Tail<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.tail.moved(frame.data_ref().map_or(0, Bytes::len)),
            Some(Err(_)) => {}
            None => self.tail.ended(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
