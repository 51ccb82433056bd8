//! The images of CI jobs, by the real binaries and against Debian's `docker-registry`.

mod attest;
mod channel_commands;
mod channel_jobs;
mod deleting_registry;
mod faulty_pushes;
mod image_drift;
mod image_layout;
mod killed_commands;
mod managed_host;
mod push_host;
mod pushed_images;
mod rebuilt_images;
mod scripted_registry;
