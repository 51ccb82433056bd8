//! The settings table: every key that `[defaults]` and a profile may have, each in one row.
//!
//! What a row can say is in `table`; the keys at the top of the file are in `config`.

mod history;
mod limits;
mod managed_image;
mod notify;
mod prices;
mod profile;
mod serve;
mod ssh;
mod strategy;
mod task_secret;
mod timeouts;
mod tmpfs_mount;
mod volume;

pub use history::HistorySettings;
pub use limits::JobLimits;
pub use managed_image::ManagedImage;
pub use notify::{HOST_CONDITIONS, NotifySettings};
pub use prices::PriceSettings;
pub use profile::{AccountSettings, DefinitionSource, JobProfile, LaunchMode, RoleSettings};
pub(crate) use profile::{MAX_DISK_GIB, MIN_DISK_GIB};
pub use serve::{ServeSettings, ServeToken};
pub use ssh::SshSettings;
pub use strategy::StrategyItem;
pub use task_secret::TaskSecret;
pub use timeouts::JobTimeouts;
pub use tmpfs_mount::TmpfsMount;
pub use volume::{StorageVolume, VolumeAccess};
