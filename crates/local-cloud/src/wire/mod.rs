//! The wire: HTTP, signatures, JSON 1.1. It knows no cluster and no task.

pub mod calendar;
pub mod connection;
pub mod credentials;
pub mod http;
pub mod member;
pub mod refusal;
pub mod shape;
pub mod signature;
