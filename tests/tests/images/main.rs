//! The images of CI jobs, by the real binaries and against Debian's `docker-registry`.

mod attest;
mod channel_commands;
mod channel_jobs;
mod deleting_registry;
mod elastic_registry;
mod faulty_pushes;
mod image_drift;
mod image_judges;
mod image_layout;
mod killed_commands;
mod promotion_rescans;
mod push_host;
mod pushed_images;
mod rebuilt_images;
mod replica_logins;
mod scripted_registry;
mod squashed_images;
