//! The images of CI jobs, by the real binaries and against Debian's `docker-registry`.

mod channel_commands;
mod channel_jobs;
mod deleting_registry;
mod image_drift;
mod killed_commands;
mod managed_host;
