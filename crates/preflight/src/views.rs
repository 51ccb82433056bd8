//! What was read, one file for each subject. Nothing here asks or judges.

mod access_view;
mod cluster_view;
mod definition_use;
mod definition_view;
mod host_view;
mod network_view;
mod quota_view;
mod registry_view;
mod role_view;
mod storage_view;

pub use access_view::{AccessView, IdentityTrouble, RightAnswer, RightState};
pub use cluster_view::{ClusterFacts, ClusterView, DefinitionReading};
pub use definition_use::DefinitionUse;
pub use definition_view::{ContainerImage, DefinitionFacts, DefinitionMount, LogGroupUse};
pub use host_view::{GitlabAnswer, HostView};
pub use network_view::{ManagerPlace, NetworkView, VpcView};
pub use quota_view::QuotaView;
pub use registry_view::{ImageAnswer, RegistrySecretView, RegistryView, SecretForm};
pub use role_view::{RolePolicyText, RoleView};
pub use storage_view::{FileSystemView, MountTargetPlace, StorageView};
