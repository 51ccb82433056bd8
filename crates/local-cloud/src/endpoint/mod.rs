//! The endpoint that clients connect to: HTTP, TLS, the check of each signature, the faults of the
//! connection, and the control endpoint. It gives each request to its service and knows no operation. Tasks get the
//! credentials of their roles at an endpoint of their own.

pub mod connection;
pub mod http;
pub mod task_credentials;
pub mod tls;

mod control;
mod page_guard;
