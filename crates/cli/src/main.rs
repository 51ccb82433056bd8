//! The fargate-runner binary.
fn main() {}
