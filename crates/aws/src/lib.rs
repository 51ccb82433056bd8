//! The AWS account as this host reaches it: the way there, whom to trust on it, and as whom to
//! call. All clients get these from one [`AwsAccount`].
//!
//! It knows no task and no state. Its calls are made once; [`retry`] is the one policy by
//! which callers make them again, and [`AwsAccount::call`] corrects this host's clock and renews
//! credentials.

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
mod retry;
mod role;
mod signed_request;
mod source;
mod trust;

pub use account::AwsAccount;
pub use call::{CallError, is_of_clock, is_throttling};
pub use logs::LogStream;
pub use retry::{retry, sent};
pub use signed_request::date_of;
