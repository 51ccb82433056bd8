//! The calls to AWS that this program makes, and the IAM policies that allow exactly these for a configuration.
//!
//! [`catalogued_calls`] is the one list of calls: action, resource, condition, and which settings need the call. A
//! policy is made from it and from a configuration; no policy is written by hand. A call that is new in the
//! product is a new row here. Two tests of the whole product fail without it: `least_privilege` where the local
//! cloud answers the call, and `named_rights` where the crate `aws` names its right.
//!
//! This crate calls nothing. It reads no file and no environment: the account and what a task definition names
//! come from the caller.

mod call_list;
mod catalogued_call;
mod check_calls;
mod iam_policy;
mod image_calls;
mod infrastructure_calls;
mod manager_calls;
mod needed_call;
mod place_arn;
mod policy_place;
mod policy_scope;
mod task_calls;

pub use call_list::catalogued_calls;
pub use catalogued_call::{
    CallCircumstance, CallNeed, CallTarget, CataloguedCall, PlaceSetting, PolicyHolder,
};
pub use iam_policy::IamPolicy;
pub use needed_call::{NeededCall, needed_calls};
pub use policy_place::PolicyPlace;
pub use policy_scope::{PolicyFlags, PolicyScope, PolicyScopeError};
