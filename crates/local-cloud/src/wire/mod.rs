//! The wire: HTTP and TLS, signatures, JSON 1.1 and the query protocols. It knows no cluster and
//! no task.

pub mod calendar;
pub mod connection;
pub mod control;
pub mod credentials;
pub mod exception;
pub mod http;
pub mod member;
pub mod page_guard;
pub mod query;
pub mod service;
pub mod shape;
pub mod signature;
pub mod tls;
pub mod xml;
