//! A bar for transfers, where somebody is there to see it.

use std::sync::Arc;
use std::time::Duration;

use autopgo_client::{Moved, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A transfer shorter than this shows no bar: it would only flicker.
const FIRST_SEEN: Duration = Duration::from_millis(200);

/// A bar on standard error, if that is a terminal. It goes when it is dropped.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar that says `doing`.
    pub(crate) fn new(doing: String) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        // The template is written here and tested below; should it be refused, the bar has its plain look.
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(doing);
        Self(bar)
    }

    /// What moves it.
    pub(crate) fn progress(&self) -> Progress {
        let bar = self.0.clone();
        Arc::new(move |moved: Moved| {
            if bar.is_hidden() && bar.elapsed() >= FIRST_SEEN {
                // Draws nothing where standard error is no terminal.
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            if let Some(of) = moved.of {
                bar.set_length(of);
            }
            bar.set_position(moved.bytes);
        })
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

const TEMPLATE: &str = "{msg} [{bar:32}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_sound_and_the_bar_follows() {
        ProgressStyle::with_template(TEMPLATE).expect("a good template");
        let bar = Bar::new("uploading".to_owned());
        let progress = bar.progress();
        progress(Moved { bytes: 5, of: Some(10) });
        assert_eq!((bar.0.position(), bar.0.length()), (5, Some(10)));
        progress(Moved { bytes: 0, of: Some(10) });
        assert_eq!(bar.0.position(), 0);
    }
}
