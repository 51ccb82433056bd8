//! IAM policies and how they are evaluated: what a policy says of one question.
//!
//! It knows no principal and no service: who has which policies is the business of `services/iam`, and which
//! questions a call asks is that of each service.
//!
//! Source: AWS Identity and Access Management User Guide, "Policy evaluation logic", "IAM JSON policy elements
//! reference" and "Condition operators".

pub mod access_question;
pub mod identity_policy;
mod policy_error;
mod statement_condition;
pub mod text_pattern;
