//! The way of an event from the code that emits it to those that write it down.
//!
//! A sink must neither fail nor wait: no job depends on what becomes of an event. Nothing is masked on
//! the way: a text may repeat what AWS or the task said, so each sink masks what it writes down.

use std::fmt;
use std::sync::Arc;

use crate::job_event::JobEvent;
use crate::job_fact::JobFact;

/// Something that takes events: a log, a file of one job, metrics.
pub trait EventSink: Send + Sync {
    /// Takes one event. It drops what it cannot take at once.
    fn take(&self, event: &JobEvent);

    /// Takes one fact for the history. Most sinks keep none.
    fn take_fact(&self, _fact: &JobFact) {}
}

/// Gives each event to every sink, in order. A clone shares the sinks.
#[derive(Clone)]
pub struct EventEmitter {
    sinks: Arc<[Arc<dyn EventSink>]>,
}

impl EventEmitter {
    /// An emitter for these sinks.
    #[must_use]
    pub fn new(sinks: impl IntoIterator<Item = Arc<dyn EventSink>>) -> Self {
        Self { sinks: sinks.into_iter().collect() }
    }

    /// These sinks and one more.
    #[must_use]
    pub fn with(&self, sink: Arc<dyn EventSink>) -> Self {
        Self { sinks: self.sinks.iter().cloned().chain([sink]).collect() }
    }

    /// Gives the event to every sink. Code of a job calls [`emit`](crate::emit) instead, which finds the
    /// job's emitter.
    pub fn emit(&self, event: &JobEvent) {
        self.sinks.iter().for_each(|sink| sink.take(event));
    }

    /// Gives the fact to every sink. Code of a job calls [`emit_fact`](crate::emit_fact) instead.
    pub fn emit_fact(&self, fact: &JobFact) {
        self.sinks.iter().for_each(|sink| sink.take_fact(fact));
    }
}

/// Passes events on to the current subscriber of `tracing`, so that the fields of the span around the
/// code (the attempt, the task) stand beside those of the event.
#[derive(Clone, Copy, Debug)]
pub struct TracingSink;

impl EventSink for TracingSink {
    fn take(&self, event: &JobEvent) {
        event.to_tracing();
    }
}

impl fmt::Debug for EventEmitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventEmitter").field("sinks", &self.sinks.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct MemorySink(Mutex<Vec<JobEvent>>);

    impl EventSink for MemorySink {
        fn take(&self, event: &JobEvent) {
            self.0.lock().unwrap().push(event.clone());
        }
    }

    #[test]
    fn every_sink_takes_every_event_in_order() {
        let sinks = [Arc::new(MemorySink::default()), Arc::new(MemorySink::default())];
        let emitter = EventEmitter::new(sinks.clone().map(|sink| sink as Arc<dyn EventSink>));
        let events = [JobEvent::ScriptStarted {}, JobEvent::ScriptEnded { status: 3 }];
        events.iter().for_each(|event| emitter.clone().emit(event));
        for sink in sinks {
            assert_eq!(*sink.0.lock().unwrap(), events);
        }
    }
}
