//! What makes a task move on: time, its containers, faults, and orders to end. Each task has one
//! lifecycle; no task moves because somebody looked.

mod container_plans;
mod container_settings;
mod exits;
mod faults;
mod file_systems;
mod image_pulls;
mod interface_request;
mod mounted_file_system;
mod resolved_secrets;
mod role_credentials;
pub(crate) mod run;
mod running_containers;
mod steps;
mod stop;
pub(crate) mod task_lifecycle;
mod task_secrets;

#[cfg(test)]
mod tests;
