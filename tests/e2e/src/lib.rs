//! What the stories share: where things are, a server of one's own, and waiting with a deadline.
