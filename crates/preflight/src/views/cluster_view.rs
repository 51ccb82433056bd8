//! The cluster, its capacity providers and the task definitions.

use std::collections::BTreeMap;

use crate::reading::AwsReading;
use crate::views::{DefinitionFacts, DefinitionUse};

/// A cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterFacts {
    /// Its ARN.
    pub arn: String,
    /// Its status: `ACTIVE` if tasks can run in it.
    pub status: String,
    /// Its capacity providers.
    pub providers: Vec<String>,
    /// The providers of its default strategy that get tasks.
    pub default_strategy: Vec<String>,
}

/// A task definition, or why a profile makes none.
pub type DefinitionReading = AwsReading<Result<DefinitionFacts, String>>;

/// The cluster, its capacity providers and the task definitions.
#[derive(Clone, Debug, Default)]
pub struct ClusterView {
    /// The clusters of the profiles, by the name or ARN in the configuration; `None` if there is none.
    pub clusters: BTreeMap<String, AwsReading<Option<ClusterFacts>>>,
    /// The task definition of each profile, in the order of the profiles. For a fixed one it is what ECS has;
    /// else what the template makes.
    pub definitions: Vec<DefinitionReading>,
    /// What fixed task definitions use, by the name in the configuration.
    pub definition_uses: BTreeMap<String, AwsReading<DefinitionUse>>,
}

impl ClusterView {
    /// The task definition of the profile at this place, if it is known and can be used.
    #[must_use]
    pub fn usable_definition(&self, profile: usize) -> Option<&DefinitionFacts> {
        self.definitions.get(profile)?.known()?.as_ref().ok()
    }
}
