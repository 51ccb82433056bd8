//! The catalogue of causes.
