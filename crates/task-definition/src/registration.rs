//! From a rendered task definition to the ARN of a registered revision: exactly one process of a host looks
//! it up or registers it, and all others take what that one found.
//!
//! Several hosts may register the same content at the same time. Then two equal revisions exist, which
//! harms nothing.

use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_files::FileLock;
use fargate_model::backoff::{RetryBackoff, jittered};
use fargate_state::{StateError, StateFolder};
use tokio::time::{Instant, sleep};

use crate::ecs_definitions::EcsDefinitions;
use crate::error::DefinitionError;
use crate::kept_definitions::KeptDefinitions;
use crate::rendered::RenderedDefinition;

/// Pause before the next look at what another process of this host found. It doubles up to the second
/// value.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const LONGEST_LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How the revision was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevisionOrigin {
    /// This host knew it.
    Known,
    /// ECS had it.
    Found,
    /// It was registered just now.
    Registered,
}

/// A revision from which tasks can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredDefinition {
    /// Its ARN.
    pub arn: String,
    /// How it was come by.
    pub origin: RevisionOrigin,
}

/// Looks up and registers for one host.
#[derive(Clone, Debug)]
pub struct DefinitionRegistrar {
    ecs: EcsDefinitions,
    kept: KeptDefinitions,
    folder: StateFolder,
}

impl DefinitionRegistrar {
    /// Uses these.
    #[must_use]
    pub fn new(ecs: EcsDefinitions, kept: KeptDefinitions, folder: StateFolder) -> Self {
        Self { ecs, kept, folder }
    }

    /// The revision with this content. In the usual case this reads one file.
    ///
    /// # Errors
    ///
    /// Returns [`DefinitionError::Call`] if ECS refuses or does not answer until the deadline, and
    /// [`DefinitionError::Busy`] if another process holds the lock until then.
    pub async fn revision(
        &self,
        rendered: &RenderedDefinition,
        deadline: Instant,
    ) -> Result<RegisteredDefinition, DefinitionError> {
        let mut backoff = RetryBackoff::doubling(LOOK_AGAIN, LONGEST_LOOK_AGAIN);
        let known = || self.kept.arn(rendered.family(), rendered.content());
        let lock = loop {
            if let Some(arn) = known() {
                return Ok(RegisteredDefinition { arn, origin: RevisionOrigin::Known });
            }
            match self.folder.lock_definitions(self.kept.account(), rendered.family()) {
                Ok(lock) => break lock,
                Err(StateError::Held { path }) => {
                    let pause = jittered(backoff.next_pause());
                    if Instant::now() + pause >= deadline {
                        return Err(DefinitionError::Busy { path });
                    }
                    sleep(pause).await;
                }
                Err(error) => return Err(error.into()),
            }
        };
        // Another process may have found it between the look and the lock.
        match known() {
            Some(arn) => Ok(RegisteredDefinition { arn, origin: RevisionOrigin::Known }),
            None => self.find_or_register(rendered, &lock, deadline).await,
        }
    }

    /// The same after ECS refused `refused`: what this host knows is wrong, and ECS is asked.
    ///
    /// # Errors
    ///
    /// As [`Self::revision`].
    pub async fn revision_instead_of(
        &self,
        refused: &str,
        rendered: &RenderedDefinition,
        deadline: Instant,
    ) -> Result<RegisteredDefinition, DefinitionError> {
        emit(JobEvent::DefinitionRefused { definition: refused.to_owned() });
        self.kept.forget(rendered.family(), rendered.content().as_str(), refused);
        self.revision(rendered, deadline).await
    }

    /// The caller holds the lock.
    async fn find_or_register(
        &self,
        rendered: &RenderedDefinition,
        _lock: &FileLock,
        deadline: Instant,
    ) -> Result<RegisteredDefinition, DefinitionError> {
        let (family, content) = (rendered.family(), rendered.content());
        let (revision, origin) = match self.ecs.find(rendered, deadline).await? {
            Some(found) => (found, RevisionOrigin::Found),
            None => (self.ecs.register(rendered, deadline).await?, RevisionOrigin::Registered),
        };
        self.kept.keep(family, content, &revision.arn);
        let definition = revision.arn.clone();
        emit(match origin {
            RevisionOrigin::Registered => {
                JobEvent::DefinitionRegistered { definition, content: content.to_string() }
            }
            _ => JobEvent::DefinitionFound { definition, content: content.to_string() },
        });
        Ok(RegisteredDefinition { arn: revision.arn, origin })
    }
}
