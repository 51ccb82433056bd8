//! The values of a task's secrets.

use zeroize::Zeroizing;

/// The secrets of each container, in the order of the task definition. They are overwritten in memory when
/// the task has ended. It has no `Debug`, so that no value is printed.
#[derive(Default)]
pub(super) struct ResolvedSecrets(pub Vec<Vec<(String, Zeroizing<String>)>>);

impl ResolvedSecrets {
    /// The variables of the container with this index.
    pub fn of_container(&self, index: usize) -> impl Iterator<Item = (String, String)> {
        let own = self.0.get(index).into_iter().flatten();
        own.map(|(name, value)| (name.clone(), value.to_string()))
    }
}
