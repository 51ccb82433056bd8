//! The time by ECS's clock: the `Date` of its last answer, and what has passed since by a clock that nobody
//! sets. A host's own clock may jump; this one does not jump with it.
//!
//! It asks nobody. Before the first answer nobody knows the time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use fargate_aws::date_of;
use tokio::time::Instant;

/// What the last answer with a time said, and when it came.
type LastAnswerDate = Option<(SystemTime, Instant)>;

/// ECS's clock, as one client heard it. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct EcsClock(Arc<Mutex<LastAnswerDate>>);

impl EcsClock {
    /// The time now; `None` before the first answer that had one.
    pub fn now(&self) -> Option<SystemTime> {
        let (date, heard) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        date.checked_add(heard.elapsed())
    }

    fn hear(&self, date: SystemTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
    }
}

impl Intercept for EcsClock {
    fn name(&self) -> &'static str {
        "EcsClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = date_of(context.response()) {
            self.hear(date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_goes_on_from_the_last_answer_and_nobody_knows_it_before() {
        let (clock, begun) =
            (EcsClock::default(), SystemTime::UNIX_EPOCH + Duration::from_hours(1));
        assert_eq!(clock.now(), None);
        clock.hear(begun);
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.now(), Some(begun + Duration::from_secs(90)));
        clock.hear(begun);
        assert_eq!(clock.now(), Some(begun));
    }
}
