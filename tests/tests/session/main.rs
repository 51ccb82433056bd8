//! The conversation between driver and agent under attack: other hosts, cuts, stray clients, limits,
//! and tasks that end from outside.

mod cuts;
mod ends;
mod hosts;
mod libraries;
mod proxy;
mod ssh;
mod stock_client;
