//! One revision of a family as ECS describes it.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::canonical::{CONTENT_TAG, CanonicalDefinition};
use crate::rendered::RenderedDefinition;

/// The status of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevisionStatus {
    /// New tasks can be started from it.
    Active,
    /// It was deregistered; running tasks go on.
    Inactive,
    /// Its deletion was asked for.
    Deleting,
    /// A word that this version does not know.
    Other(String),
}

impl RevisionStatus {
    fn of(word: &str) -> Self {
        match word {
            "ACTIVE" => Self::Active,
            "INACTIVE" => Self::Inactive,
            "DELETE_IN_PROGRESS" => Self::Deleting,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl std::fmt::Display for RevisionStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Deleting => "being deleted",
            Self::Other(word) => word,
        })
    }
}

/// A revision.
#[derive(Clone, Debug)]
pub struct DefinitionRevision {
    /// Its ARN.
    pub arn: String,
    /// Its family.
    pub family: String,
    /// Its number.
    pub number: u64,
    /// Its status.
    pub status: RevisionStatus,
    /// When it was registered, if ECS says so.
    pub registered: Option<SystemTime>,
    /// The name of its content, if this program registered it.
    pub content: Option<String>,
    /// The images of its containers.
    pub images: Vec<String>,
    /// The canonical form.
    pub canonical: CanonicalDefinition,
}

impl DefinitionRevision {
    /// Reads an answer of `DescribeTaskDefinition` or `RegisterTaskDefinition`; `None` if it has no
    /// revision.
    pub(crate) fn of(answer: &Value) -> Option<Self> {
        let definition = answer.get("taskDefinition")?;
        let text = |name: &str| definition.get(name)?.as_str().map(str::to_owned);
        let containers = definition.get("containerDefinitions").and_then(Value::as_array);
        let image = |container: &Value| Some(container.get("image")?.as_str()?.to_owned());
        Some(Self {
            arn: text("taskDefinitionArn")?,
            family: text("family")?,
            number: definition.get("revision")?.as_u64()?,
            status: RevisionStatus::of(&text("status")?),
            registered: definition.get("registeredAt").and_then(time),
            content: content(answer.get("tags")),
            images: containers.into_iter().flatten().filter_map(image).collect(),
            canonical: CanonicalDefinition::of(definition),
        })
    }

    /// Whether it was made from this definition, and says what its tag says.
    #[must_use]
    pub fn is_of(&self, rendered: &RenderedDefinition) -> bool {
        self.content.as_deref() == Some(rendered.content().as_str())
            && self.canonical == *rendered.canonical()
    }

    /// `family:revision`, as people and commands name it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.family, self.number)
    }
}

fn time(seconds: &Value) -> Option<SystemTime> {
    let since = Duration::try_from_secs_f64(seconds.as_f64()?).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(since)
}

fn content(tags: Option<&Value>) -> Option<String> {
    let tags = tags?.as_array()?;
    let own = tags.iter().find(|tag| tag.get("key").is_some_and(|key| key == CONTENT_TAG))?;
    Some(own.get("value")?.as_str()?.to_owned())
}
