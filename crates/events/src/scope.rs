//! Which emitter the code of one job reaches, so that one process can run many jobs and tell their
//! events apart.
//!
//! The emitter is set only while the job's own future is polled, as `tracing` does it with its spans.
//! A task that is spawned on the way is not in the scope; it takes [`EventEmitter::current`] along.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;

use crate::job_event::JobEvent;
use crate::job_fact::JobFact;
use crate::sink::{EventEmitter, EventSink, TracingSink};

thread_local! {
    static CURRENT: RefCell<Option<EventEmitter>> = const { RefCell::new(None) };
}

/// Puts the former emitter back, also when the job's code panics.
struct FormerEmitter(Option<EventEmitter>);

impl Drop for FormerEmitter {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

impl EventEmitter {
    /// Runs `job` so that [`emit`] within it reaches this emitter, and nothing else does.
    pub fn scope<F: Future>(&self, job: F) -> impl Future<Output = F::Output> + use<F> {
        let emitter = self.clone();
        // In a box, because a job's future is large, and scopes stand inside each other.
        let mut job = Box::pin(job);
        std::future::poll_fn(move |context| {
            let _former = FormerEmitter(CURRENT.replace(Some(emitter.clone())));
            job.as_mut().poll(context)
        })
    }

    /// The emitter of the scope that this code runs in; outside of any, one for `tracing` alone.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.with_borrow(Clone::clone).unwrap_or_else(Self::tracing)
    }

    /// Passes events on to `tracing`, and to nobody else.
    #[must_use]
    pub fn tracing() -> Self {
        Self::new([Arc::new(TracingSink) as Arc<dyn EventSink>])
    }
}

/// Emits an event to the emitter of the scope that this code runs in; outside of any, to the current
/// subscriber of `tracing`.
#[expect(clippy::needless_pass_by_value, reason = "whoever emits an event makes it for this call")]
pub fn emit(event: JobEvent) {
    let emitter = CURRENT.with_borrow(Clone::clone);
    match emitter {
        Some(emitter) => emitter.emit(&event),
        None => TracingSink.take(&event),
    }
}

/// Tells a fact to the emitter of the scope that this code runs in; outside of any, to nobody.
#[expect(clippy::needless_pass_by_value, reason = "whoever tells a fact makes it for this call")]
pub fn emit_fact(fact: JobFact) {
    let emitter = CURRENT.with_borrow(Clone::clone);
    if let Some(emitter) = emitter {
        emitter.emit_fact(&fact);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[derive(Default)]
    struct StatusSink(Mutex<Vec<u8>>);

    impl EventSink for StatusSink {
        fn take(&self, event: &JobEvent) {
            if let JobEvent::ScriptEnded { status } = event {
                self.0.lock().unwrap().push(*status);
            }
        }
    }

    /// Emits `first`, lets others run, and emits `first + 1`.
    async fn emit_twice(first: u8) {
        emit(JobEvent::ScriptEnded { status: first });
        let mut is_second = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut is_second, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        emit(JobEvent::ScriptEnded { status: first + 1 });
    }

    #[test]
    fn two_jobs_on_one_thread_do_not_mix_their_events() {
        let sinks = [Arc::new(StatusSink::default()), Arc::new(StatusSink::default())];
        let [one, two] = sinks.clone().map(|sink| EventEmitter::new([sink as Arc<dyn EventSink>]));
        let (mut one, mut two) =
            (Box::pin(one.scope(emit_twice(1))), Box::pin(two.scope(emit_twice(11))));
        let mut context = Context::from_waker(Waker::noop());
        for is_last in [false, true] {
            assert_eq!(one.as_mut().poll(&mut context).is_ready(), is_last);
            assert_eq!(two.as_mut().poll(&mut context).is_ready(), is_last);
        }
        let [one, two] = sinks.map(|sink| sink.0.lock().unwrap().clone());
        assert_eq!((one, two), (vec![1, 2], vec![11, 12]));
    }

    #[test]
    fn an_inner_scope_ends_without_ending_the_outer_one() {
        let sink = Arc::new(StatusSink::default());
        let outer = EventEmitter::new([Arc::clone(&sink) as Arc<dyn EventSink>]);
        let inner = EventEmitter::new([]);
        let mut job = Box::pin(outer.scope(async {
            inner.scope(async { emit(JobEvent::ScriptEnded { status: 5 }) }).await;
            EventEmitter::current().emit(&JobEvent::ScriptEnded { status: 6 });
        }));
        assert!(job.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_eq!(*sink.0.lock().unwrap(), [6]);
    }
}
