//! Policies of IAM and of resources: reads a document, and answers whether it allows one call.
//!
//! It knows no account and makes no call. What a document leaves open, because it asks for a key of a
//! condition that nobody gave, is "unclear" and never allowed.
//!
//! Source: AWS IAM User Guide, "IAM JSON policy elements reference" and "Policy evaluation logic".

mod policy_condition;
mod policy_decision;
mod policy_document;
mod policy_pattern;

pub(crate) use policy_decision::{PolicyAnswer, PolicyPrincipal, PolicyQuestion, answer_of};
pub(crate) use policy_document::{AccessStatement, PatternList, PolicyDocument};
pub(crate) use policy_pattern::fits_pattern;
