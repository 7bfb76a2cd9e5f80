//! The messages of a subscription, each locked, told, and then completed or abandoned
//! (<https://learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus-trigger>, "PeekLock behavior").

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::app::Messages;
use super::{Inner, Invoked, payload};
use crate::servicebus::{Received, Receiver};

/// How long between two looks at a subscription that was empty.
const POLL: Duration = Duration::from_millis(20);
/// How many messages one call is told of with `"cardinality": "many"`.
const MANY: usize = 10;

/// Tells the function of messages, so many at once as it may be, until the host ends.
pub(super) async fn pump(inner: Arc<Inner>, function: String, settings: Messages, receiver: Receiver) {
    let room = Arc::new(Semaphore::new(settings.calls));
    let receiver = Arc::new(receiver);
    let mut calls = tokio::task::JoinSet::new();
    loop {
        while calls.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        // Nothing is received for a handler that is not there.
        if inner.handler.ready().await.is_err() {
            return;
        }
        let most = if settings.many { MANY } else { 1 };
        let received: Vec<Received> = std::iter::from_fn(|| receiver.receive()).take(most).collect();
        if received.is_empty() {
            tokio::time::sleep(POLL).await;
            continue;
        }
        let (inner, receiver) = (Arc::clone(&inner), Arc::clone(&receiver));
        let (function, settings) = (function.clone(), settings.clone());
        calls.spawn(async move {
            deliver(&inner, &function, &settings, &receiver, &received).await;
            drop(place);
        });
    }
}

async fn deliver(
    inner: &Inner,
    function: &str,
    settings: &Messages,
    receiver: &Receiver,
    received: &[Received],
) {
    let Ok(function) = inner.function(function) else { return };
    let told = payload::messages(function, settings, received);
    let invoked = tokio::select! {
        invoked = inner.invoke(&function.name, &told) => invoked,
        () = renew(settings.renewal, receiver, received) => return,
    };
    for message in received {
        match invoked {
            Invoked::Done(_) if settings.completes => receiver.complete(message),
            // Its lock runs out.
            Invoked::Done(_) => true,
            Invoked::Failed(_) | Invoked::TimedOut(_) => receiver.abandon(message),
        };
    }
}

/// Renews the locks for so long; then never comes back, and leaves them to run out.
async fn renew(most: Duration, receiver: &Receiver, received: &[Received]) {
    let start = Instant::now();
    let pause = (receiver.lock_duration() / 2).max(POLL);
    while start.elapsed() + pause < most {
        tokio::time::sleep(pause).await;
        for message in received {
            receiver.renew(message);
        }
    }
    std::future::pending::<()>().await;
}
