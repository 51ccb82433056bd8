//! What every step of one command is given: who hears of its progress, what masks foreign text, and
//! whether somebody asked it to stop.

use std::future::Future;
use std::time::{Duration, Instant};

use fargate_mask::SharedMasker;
use tokio::sync::watch;

use crate::event::{ImageEvent, ImageEvents, ImageStep};
use crate::failure::ImageFailure;

/// One run of a command. Clones belong to the same run.
#[derive(Clone, Debug)]
pub struct ImageRun {
    /// Who hears of its progress.
    pub events: ImageEvents,
    /// Masks the secrets that the run learns of.
    pub masker: SharedMasker,
    cancelled: watch::Receiver<bool>,
}

/// Stops a run.
#[derive(Debug)]
pub struct CancelImageRun(watch::Sender<bool>);

impl CancelImageRun {
    /// Asks the run to stop. Each step then gives back what it holds.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

impl ImageRun {
    /// A run, and what stops it.
    #[must_use]
    pub fn new(events: ImageEvents, masker: SharedMasker) -> (Self, CancelImageRun) {
        let (sender, cancelled) = watch::channel(false);
        (Self { events, masker, cancelled }, CancelImageRun(sender))
    }

    /// Whether it was asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }

    /// Returns once it was asked to stop.
    pub async fn cancelled(&self) {
        let mut cancelled = self.cancelled.clone();
        if cancelled.wait_for(|cancelled| *cancelled).await.is_err() {
            // Nobody is left who could ask.
            std::future::pending::<()>().await;
        }
    }

    /// Does `work` until it is done or the run is asked to stop. `work` is dropped then.
    ///
    /// # Errors
    ///
    /// That of `work`, or [`ImageFailure::Interrupted`].
    pub async fn unless_cancelled<T>(
        &self,
        step: ImageStep,
        work: impl Future<Output = Result<T, ImageFailure>>,
    ) -> Result<T, ImageFailure> {
        tokio::select! {
            biased;
            () = self.cancelled() => Err(interrupted(step)),
            done = work => done,
        }
    }

    /// The same for `work` that stops by itself when the run is asked to, because it gives something back. It is
    /// dropped only if it takes longer than `grace`.
    ///
    /// # Errors
    ///
    /// That of `work`, or [`ImageFailure::Interrupted`].
    pub async fn unless_cancelled_within<T>(
        &self,
        step: ImageStep,
        grace: Duration,
        work: impl Future<Output = Result<T, ImageFailure>>,
    ) -> Result<T, ImageFailure> {
        self.require_wanted(step)?;
        let too_late = async {
            self.cancelled().await;
            tokio::time::sleep(grace).await;
        };
        let done = tokio::select! {
            biased;
            done = work => done,
            () = too_late => Err(interrupted(step)),
        };
        let value = done?;
        self.require_wanted(step)?;
        Ok(value)
    }

    /// Fails if the run was asked to stop.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Interrupted`].
    pub fn require_wanted(&self, step: ImageStep) -> Result<(), ImageFailure> {
        if self.is_cancelled() { Err(interrupted(step)) } else { Ok(()) }
    }

    /// Does one step: tells that it began and what came of it. `work` gives its result, and a summary in one
    /// line for people.
    ///
    /// # Errors
    ///
    /// That of `work`, or [`ImageFailure::Interrupted`].
    pub async fn step<T>(
        &self,
        step: ImageStep,
        work: impl Future<Output = Result<(T, String), ImageFailure>>,
    ) -> Result<T, ImageFailure> {
        self.whole_step(step, self.unless_cancelled(step, work)).await
    }

    /// Does one step as [`step`](Self::step) does, but `work` sees to it itself that it stops when it is asked
    /// to, because it has something to give back.
    ///
    /// # Errors
    ///
    /// That of `work`.
    pub async fn whole_step<T>(
        &self,
        step: ImageStep,
        work: impl Future<Output = Result<(T, String), ImageFailure>>,
    ) -> Result<T, ImageFailure> {
        let begun = Instant::now();
        self.events.tell(ImageEvent::StepStarted { step });
        let (value, summary) = work.await?;
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.events.tell(ImageEvent::StepDone { step, summary, took_ms });
        Ok(value)
    }
}

fn interrupted(step: ImageStep) -> ImageFailure {
    let left = "nothing is left of it".to_owned();
    ImageFailure::Interrupted { during: step.label(), left }
}
