//! The formats of AWS: signatures and keys, members of JSON and of forms, XML, timestamps, errors. It
//! knows no HTTP connection and no service.

pub mod credentials;
pub mod exception;
pub mod form;
pub mod member;
pub mod signature;
pub mod timestamp;
pub mod xml;
