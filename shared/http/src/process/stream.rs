//! A connection's bytes: tells the [`Pulse`] when some come, gives up on a client that takes none, and at the end reads
//! what a refused client is still sending.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::pulse::Pulse;

/// How long a client that was refused half-way may go on sending. Closing at once would answer its next bytes with a
/// reset, and a reset takes away the answer that it has not read yet.
const LINGER: Duration = Duration::from_secs(5);

/// A stream whose writes fail with `TimedOut` when the client has taken nothing for too long.
pub(super) struct Stream<T> {
    inner: T,
    pulse: Arc<Pulse>,
    timer: Timer,
    /// Since when a write waits.
    stalled: Option<Instant>,
    /// Until when the rest is read and dropped, once our side is closed.
    linger: Option<Instant>,
}

impl<T> Stream<T> {
    /// `inner`, timed by `pulse`.
    pub(super) fn new(inner: T, pulse: Arc<Pulse>) -> Self {
        Self { inner, pulse, timer: Timer::default(), stalled: None, linger: None }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pulse.received();
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> Stream<T> {
    /// What a write or a flush came to, unless it has waited for too long.
    fn timed<V>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<V>>) -> Poll<io::Result<V>> {
        if poll.is_ready() {
            self.stalled = None;
            return poll;
        }
        let stalled = *self.stalled.get_or_insert_with(Instant::now);
        let deadline = self.pulse.write_deadline(stalled);
        ready!(self.timer.poll(cx, deadline));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.timed(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.timed(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(cx);
        self.timed(cx, poll)
    }

    /// Closes our side, then reads what a refused client still sends, until it ends or has had its time.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let until = match self.linger {
            Some(until) => until,
            None => {
                ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
                if !self.pulse.is_unread() {
                    return Poll::Ready(Ok(()));
                }
                *self.linger.insert(Instant::now() + LINGER)
            }
        };
        let mut scratch = [0; 8 << 10];
        while Instant::now() < until {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => break,
                Poll::Pending => {
                    ready!(self.timer.poll(cx, until));
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A timer that costs nothing until it is first waited for.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready at `deadline`.
    fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}
