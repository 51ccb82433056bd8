//! The local cloud as its owner and its clients meet it, in one process and over the wire.

mod client;
mod control;
mod logs;
mod neighbours;
mod pages;
mod places;
mod processes;
mod wire;
