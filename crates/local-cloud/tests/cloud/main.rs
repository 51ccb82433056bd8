//! Tests of the local cloud from outside: in process as its owner, and over the wire as a client.

mod client;
mod control;
mod listen_addresses;
mod logs;
mod other_services;
mod processes;
mod secrets;
mod task_secrets;
mod web_pages;
mod wire;
