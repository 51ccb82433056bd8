//! A model of a VPC and of what packets of a task meet in it. It makes no call.
//!
//! It follows TCP over IPv4 from a task to port 443 of the internet, to endpoints and to mount targets, and
//! from the manager to a task; over IPv6 to the internet alone. It sees nothing of what lies behind a transit gateway, a peering connection,
//! a VPN, a firewall or an appliance, and says so instead of guessing.

pub mod acl_verdict;
pub mod address_range;
mod address_reasons;
mod egress_addresses;
pub mod group_verdict;
pub mod inner_path;
pub mod internet_path;
pub mod ipv6_path;
pub mod ipv6_range;
#[cfg(test)]
mod ipv6_walk;
pub mod ipv6_way;
pub mod layer_way;
pub mod manager_side;
pub mod needed_services;
#[cfg(test)]
mod packet_walk;
#[cfg(test)]
mod path_verdict;
#[cfg(test)]
mod random_ipv6;
#[cfg(test)]
mod random_network;
pub mod route_fault;
pub mod route_map;
#[cfg(test)]
pub mod sample_network;
pub mod task_place;
pub mod way_out;

pub use egress_addresses::egress_addresses;
