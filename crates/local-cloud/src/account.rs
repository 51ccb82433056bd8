//! The account that everything in a local cloud belongs to.

/// Its number, which AWS uses in its own examples.
pub const ACCOUNT: &str = "123456789012";
