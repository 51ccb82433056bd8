//! A task definition that a profile and its template make, checked and ready to be registered.
//!
//! Nothing is sent here.

use fargate_config::{DefinitionSource, JobProfile};
use serde_json::{Value, json};

use crate::canonical::{CONTENT_TAG, CanonicalDefinition, ContentHash};
use crate::checks;
use crate::error::DefinitionError;
use crate::placeholder::PlaceholderValues;
use crate::template::DefinitionTemplate;

/// A rendered task definition.
#[derive(Clone, Debug)]
pub struct RenderedDefinition {
    input: Value,
    canonical: CanonicalDefinition,
    content: ContentHash,
    family: String,
}

impl RenderedDefinition {
    /// Renders the definition of this profile for a Region, and checks it.
    ///
    /// # Errors
    ///
    /// Returns [`DefinitionError::Fixed`] if the profile has no `image`, [`DefinitionError::Template`] if
    /// the template cannot be used, and [`DefinitionError::Unusable`] with every problem if ECS would
    /// refuse the result.
    pub fn of(profile: &JobProfile, region: &str) -> Result<Self, DefinitionError> {
        match profile.definition() {
            DefinitionSource::Derived(image) => Self::with_image(profile, image, region),
            DefinitionSource::Fixed(name) => Err(DefinitionError::Fixed { name: name.to_owned() }),
        }
    }

    /// Checks that the profile makes a definition, or names a fixed one. Nothing is asked of AWS, so a
    /// Region that only the environment names is not known.
    ///
    /// # Errors
    ///
    /// As [`Self::of`], except that a fixed definition is none.
    pub fn check(profile: &JobProfile) -> Result<(), DefinitionError> {
        match profile.definition() {
            DefinitionSource::Fixed(_) => Ok(()),
            DefinitionSource::Derived(_) => {
                let region = profile.region.as_deref().unwrap_or("any");
                Self::of(profile, region).map(drop)
            }
        }
    }

    /// The same with an image that was resolved before, for example to its digest.
    ///
    /// # Errors
    ///
    /// As [`Self::of`].
    pub fn with_image(
        profile: &JobProfile,
        image: &str,
        region: &str,
    ) -> Result<Self, DefinitionError> {
        let template = DefinitionTemplate::named(&profile.task_definition_template)?;
        let values = PlaceholderValues::new(profile, image, region);
        Self::fill(&template, &values, &profile.container)
    }

    /// Fills a template, and checks the result. `container` is the one that runs the scripts.
    ///
    /// # Errors
    ///
    /// As [`Self::of`].
    pub fn fill(
        template: &DefinitionTemplate,
        values: &PlaceholderValues,
        container: &str,
    ) -> Result<Self, DefinitionError> {
        let mut input = template.fill(values)?;
        without_empty(&mut input);
        let problems = checks::problems(&input, container);
        if !problems.is_empty() {
            return Err(DefinitionError::Unusable(problems));
        }
        let canonical = CanonicalDefinition::of(&input);
        let content = canonical.hash();
        let family = input.get("family").and_then(Value::as_str).unwrap_or_default().to_owned();
        add_tag(&mut input, content.as_str());
        Ok(Self { input, canonical, content, family })
    }

    /// What `RegisterTaskDefinition` takes, with the tag that names the content.
    #[must_use]
    pub fn input(&self) -> &Value {
        &self.input
    }

    /// The canonical form.
    #[must_use]
    pub fn canonical(&self) -> &CanonicalDefinition {
        &self.canonical
    }

    /// The name of the content.
    #[must_use]
    pub fn content(&self) -> &ContentHash {
        &self.content
    }

    /// The family.
    #[must_use]
    pub fn family(&self) -> &str {
        &self.family
    }
}

/// Takes away lists and objects of which nothing is left.
fn without_empty(value: &mut Value) {
    let is_empty = |value: &Value| match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(without_empty);
            members.retain(|_, value| !is_empty(value));
        }
        Value::Array(items) => {
            items.iter_mut().for_each(without_empty);
            items.retain(|value| !is_empty(value));
        }
        _ => {}
    }
}

/// The tags of the template stay, except one of this name.
fn add_tag(input: &mut Value, content: &str) {
    let Some(members) = input.as_object_mut() else { return };
    let tags = members.entry("tags").or_insert(Value::Null);
    if tags.is_null() {
        *tags = json!([]);
    }
    if let Some(tags) = tags.as_array_mut() {
        tags.retain(|tag| tag.get("key").and_then(Value::as_str) != Some(CONTENT_TAG));
        tags.push(json!({ "key": CONTENT_TAG, "value": content }));
    }
}
