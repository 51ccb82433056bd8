//! The AWS account as this host reaches it: the way there, whom to trust on it, and as whom to
//! call. All clients get these from one [`AwsAccount`].
//!
//! It knows no task and no state. It retries nothing: whoever calls has the one retry policy.

mod account;
mod call;
mod credential_cache;
mod ec2;
mod endpoints;
mod http;
mod logs;
mod process;
mod profile_lines;
mod profile_rules;
mod profiles;
mod proxy;
mod regular_file;
mod role;
mod signed_request;
mod source;
mod trust;

pub use account::AwsAccount;
pub use call::CallError;
pub(crate) use call::{is_of_clock, is_throttling};
pub use logs::LogStream;
pub(crate) use signed_request::date_of;
