//! The errors of ECS that several operations answer with.

use crate::wire::exception::ServiceException;

impl ServiceException {
    /// `ClientException`: an action or a resource cannot be used in this way.
    pub fn client(message: impl Into<String>) -> Self {
        Self::new("ClientException", message)
    }

    /// The cluster does not exist.
    pub fn no_cluster() -> Self {
        Self::new("ClusterNotFoundException", "Cluster not found.")
    }

    /// The client token was used with other parameters; `tasks` are what it started then.
    pub fn conflict(tasks: Vec<String>) -> Self {
        let message = "The client token was already used with different request parameters.";
        Self { resource_ids: Some(tasks), ..Self::new("ConflictException", message) }
    }
}
