//! Which task definition the tasks of a job are started from: the one that the configuration names, or the
//! one that its profile makes, which is registered if ECS does not have it.
//!
//! How one is made and registered is known to `fargate-task-definition`.

use fargate_aws::EcsOperation;
use fargate_config::{DefinitionSource, JobProfile};
use fargate_efs::{VolumeLookupError, resolved_profile};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_registry::pinned_profile;
use fargate_state::StateFolder;
use fargate_task_definition::{
    DefinitionError, DefinitionRegistrar, DefinitionSite, RenderedDefinition, RevisionOrigin,
};
use tokio::time::{Instant, timeout_at};

use super::channel_image::ChannelProfile;
use super::classify::{CauseFacts, exception};
use super::client::EcsClient;

/// Whose folders a task mounts where a volume has one for each project.
#[derive(Clone, Copy, Debug, Default)]
pub struct VolumeUser<'a> {
    /// The path of the project, where the forge itself says it.
    pub project: Option<&'a str>,
    /// Whether the job runs for a protected branch or tag.
    pub is_protected: bool,
}

/// The task definition of a job.
#[derive(Debug)]
pub struct ResolvedDefinition {
    name: String,
    /// What people should know of the image.
    warning: Option<String>,
    /// The size of the image in its registry, in bytes, if its manifest says it.
    image_bytes: Option<u64>,
    /// `None` if somebody else made it, or if it was looked up anew already.
    derived: Option<DerivedDefinition>,
}

/// What the profile makes, and who registers it.
#[derive(Debug)]
struct DerivedDefinition {
    rendered: RenderedDefinition,
    registrar: DefinitionRegistrar,
    facts: CauseFacts,
    /// This host knew it, and did not ask ECS.
    is_kept: bool,
}

impl ResolvedDefinition {
    /// The task definition of this profile for this user of its volumes. A fixed one costs nothing; one
    /// that this host registered before costs the reading of a file, and one call for each file system
    /// of whose volumes `efs apply` makes the access points.
    ///
    /// # Errors
    ///
    /// Returns the cause for which the image has no digest or a volume no access point, [`FailureCause::DefinitionUnusable`] if the
    /// profile makes none that ECS would take, or the cause for which ECS did not register it until the
    /// deadline.
    pub async fn of(
        ecs: &EcsClient,
        profile: &JobProfile,
        folder: &StateFolder,
        user: &VolumeUser<'_>,
        deadline: Instant,
    ) -> Result<Self, CauseReport> {
        if let DefinitionSource::Fixed(name) = profile.definition() {
            let name = name.to_owned();
            return Ok(Self { name, warning: None, image_bytes: None, derived: None });
        }
        let facts = facts(ecs, profile);
        let ChannelProfile { profile, warning, image_bytes } = ChannelProfile::of(profile)?;
        let pinned = pinned(ecs, &profile, deadline).await?;
        let pinned = with_access_points(ecs, &pinned, user, &facts, deadline).await?;
        let resolved = async {
            let site = DefinitionSite::new(pinned, ecs.account().clone(), folder.clone())?;
            let (rendered, registrar) = (site.rendered()?, site.registrar());
            let found = registrar.revision(&rendered, deadline).await?;
            let is_kept = found.origin == RevisionOrigin::Known;
            Ok::<_, DefinitionError>((found.arn, rendered, registrar, is_kept))
        };
        let (name, rendered, registrar, is_kept) =
            resolved.await.map_err(|error| why(&error, &facts))?;
        let derived = DerivedDefinition { rendered, registrar, facts, is_kept };
        Ok(Self { name, warning, image_bytes, derived: Some(derived) })
    }

    /// What RunTask is told: family, family and revision, or ARN.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The size of the image in its registry, in bytes, if its manifest says it.
    #[must_use]
    pub fn image_bytes(&self) -> Option<u64> {
        self.image_bytes
    }

    /// What people should know of the image before the task starts.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// The definition to use after RunTask failed for this cause: `None` if the cause is another one, if
    /// the configuration names the definition, or if this was asked before. Somebody may have
    /// deregistered the revision that this host knows. Or the host has the credentials of another
    /// account now: then ECS denies the use of what the former account registered.
    ///
    /// # Errors
    ///
    /// As [`Self::of`].
    pub async fn after(
        &mut self,
        refusal: &CauseReport,
        deadline: Instant,
    ) -> Result<Option<Self>, CauseReport> {
        let may_mend = self.derived.as_ref().is_some_and(|derived| match refusal.cause {
            FailureCause::TaskDefMissing => true,
            FailureCause::NotAllowed => derived.is_kept,
            _ => false,
        });
        let derived = self.derived.take_if(|_| may_mend);
        let Some(DerivedDefinition { rendered, registrar, facts, .. }) = derived else {
            return Ok(None);
        };
        let found = registrar.revision_instead_of(&self.name, &rendered, deadline).await;
        let name = found.map_err(|error| why(&error, &facts))?.arn;
        Ok(Some(Self { name, warning: None, image_bytes: None, derived: None }))
    }
}

/// The profile with its image by digest, so that all tasks of the job get the same bytes.
async fn pinned(
    ecs: &EcsClient,
    profile: &JobProfile,
    deadline: Instant,
) -> Result<JobProfile, CauseReport> {
    let asked = timeout_at(deadline, pinned_profile(profile, ecs.account())).await;
    asked.unwrap_or_else(|_| {
        let image = profile.image.as_deref().unwrap_or_default();
        Err(CauseReport::new(FailureCause::RegistryNotAsked)
            .with("image", image)
            .because("The time of `prepare` was over before the registry answered."))
    })
}

/// The profile with the access points of this job in its volumes.
async fn with_access_points(
    ecs: &EcsClient,
    profile: &JobProfile,
    user: &VolumeUser<'_>,
    facts: &CauseFacts,
    deadline: Instant,
) -> Result<JobProfile, CauseReport> {
    let VolumeUser { project, is_protected } = *user;
    let resolved = resolved_profile(profile, ecs.account(), project, is_protected, deadline).await;
    resolved.map_err(|error| match &error {
        VolumeLookupError::Call { volume, error } => exception(error, facts)
            .because(format!("It was for looking up the access points of the volume `{volume}`.")),
        VolumeLookupError::Missing { .. }
        | VolumeLookupError::Several { .. }
        | VolumeLookupError::NoProject { .. } => {
            error.why().unwrap_or_else(|| CauseReport::new(FailureCause::AccessPointMissing))
        }
    })
}

fn facts(ecs: &EcsClient, profile: &JobProfile) -> CauseFacts {
    let mut facts = CauseFacts::default();
    facts.set("region", ecs.region().to_owned());
    facts.set("endpoint", ecs.endpoint());
    facts.set("cluster", profile.cluster.clone());
    facts.set("task_definition", profile.task_definition_family.clone());
    facts.set("profile", profile.name.clone().unwrap_or_default());
    facts
}

/// The cause of the catalogue.
fn why(error: &DefinitionError, facts: &CauseFacts) -> CauseReport {
    match error {
        DefinitionError::Account(why) => (**why).clone(),
        DefinitionError::State(error) => error.why(),
        DefinitionError::Busy { .. } => CauseReport::new(FailureCause::HostRefused)
            .with("doing", "looking up the task definition")
            .because(format!("{error}.")),
        DefinitionError::Call { operation, error } => {
            let doing = match operation {
                EcsOperation::RegisterTaskDefinition => "registering",
                _ => "looking up",
            };
            exception(error, facts)
                .because(format!("It was for {doing} the task definition of the profile."))
        }
        DefinitionError::Answer { .. } => {
            facts.why(FailureCause::AnswerUnreadable).because(format!("{error}."))
        }
        DefinitionError::Unusable(problems) => {
            problems.iter().fold(facts.why(FailureCause::DefinitionUnusable), |why, problem| {
                why.because(format!("{problem}."))
            })
        }
        DefinitionError::Template(_) | DefinitionError::Fixed { .. } => {
            facts.why(FailureCause::DefinitionUnusable).because(format!("{error}."))
        }
    }
}
