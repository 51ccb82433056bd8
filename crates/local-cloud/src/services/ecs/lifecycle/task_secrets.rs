//! The secrets of a task: ECS reads each as the task's execution role while the task is PENDING, before it
//! fetches an image. One that cannot be read ends the task.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::image_pulls::execution_role;
use super::resolved_secrets::ResolvedSecrets;
use super::task_lifecycle::TaskLifecycle;
use crate::services::ecs::state::task::CloudTask;
use crate::services::ecs::state::task_ending::CloudTaskEnding;
use crate::services::secrets_manager::registry_login::ExecutionSession;
use crate::services::secrets_manager::task_secret::SecretSource;
use crate::services::ssm::task_parameters::read_parameters;

/// The variable and the `valueFrom` of each secret of a container.
type NamedSources = Vec<(String, String)>;

impl TaskLifecycle {
    /// Reads all secrets of the task's containers.
    pub(super) fn task_secrets(&self) -> Result<ResolvedSecrets, CloudTaskEnding> {
        let known = self.read(|task| (named_sources(task), execution_role(task)));
        let Some((containers, role)) = known else { return Ok(ResolvedSecrets::default()) };
        let session = ExecutionSession {
            region: self.start.region.as_str(),
            role: &role,
            task: self.start.id.as_str(),
        };
        let sources = containers.iter().flatten().map(|(_, source)| source.as_str());
        let values = self.values_of(sources, &session)?;
        let resolved = containers.into_iter().map(|own| {
            let value = |source: &String| values.get(source).cloned().unwrap_or_default();
            own.into_iter().map(|(name, source)| (name, value(&source))).collect()
        });
        Ok(ResolvedSecrets(resolved.collect()))
    }

    /// The value of each source; each is read once, those of Secrets Manager first.
    fn values_of<'a>(
        &self,
        sources: impl Iterator<Item = &'a str>,
        session: &ExecutionSession<'_>,
    ) -> Result<BTreeMap<String, Zeroizing<String>>, CloudTaskEnding> {
        let (mut values, mut parameters) = (BTreeMap::new(), Vec::new());
        for source in sources {
            match SecretSource::parse(source) {
                None if parameters.iter().any(|known| known == source) => {}
                None => parameters.push(source.to_owned()),
                Some(_) if values.contains_key(source) => {}
                Some(parsed) => {
                    let read = parsed.and_then(|parsed| parsed.read(&self.cloud, session));
                    let value = read.map_err(|error| not_started(&error.to_string()))?;
                    values.insert(source.to_owned(), value);
                }
            }
        }
        let read = read_parameters(&self.cloud, session, &parameters);
        values.extend(read.map_err(|error| not_started(&error.to_string()))?);
        Ok(values)
    }
}

fn not_started(reason: &str) -> CloudTaskEnding {
    CloudTaskEnding::gentle("TaskFailedToStart", reason)
}

fn named_sources(task: &CloudTask) -> Vec<NamedSources> {
    let containers = task.definition.containers().iter();
    let of_one = containers.map(|container| {
        let secrets = container.secrets.iter().flatten();
        let named =
            secrets.filter_map(|secret| Some((secret.name.clone()?, secret.value_from.clone()?)));
        named.collect()
    });
    of_one.collect()
}
