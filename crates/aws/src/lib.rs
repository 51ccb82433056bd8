//! How this host reaches AWS: the network way, the certificates it trusts, and the credentials it
//! calls with. All clients get these from one [`AwsAccount`].
//!
//! It knows no task and no state. A call is made once: `retry` is the one policy by which callers
//! repeat it. [`AwsAccount::call`] corrects this host's clock and renews credentials.

mod account;
mod call;
mod caller_identity;
mod causes;
mod credential_cache;
mod credential_error;
mod ec2;
mod ecr_token;
mod ecs_json;
mod efs;
mod efs_resources;
mod endpoints;
mod foreign_request;
mod foreign_stream;
mod http;
mod json_refusal;
mod kms;
mod logs;
mod own_identity;
mod process;
mod profile_lines;
mod profile_rules;
mod profiles;
mod proxy;
mod retry;
mod role;
mod secrets;
mod signed_request;
mod source;
mod trust;
mod xml_refusal;

pub use account::AwsAccount;
pub use call::{CallError, is_of_clock, is_throttling};
pub use caller_identity::{CallerIdentity, IdentityEndpoint};
pub use ec2::SubnetPlace;
pub use ecr_token::EcrLogin;
pub use ecs_json::EcsOperation;
pub use efs::EfsClient;
pub use efs_resources::{
    AccessPointShape, EFS_AVAILABLE, EfsAccessPoint, EfsFileSystem, EfsMountTarget, NewAccessPoint,
};
pub use foreign_stream::{StreamedAnswer, StreamedBody};
pub use logs::{ContainerLogPage, LogStream};
pub use retry::retry;
pub use secrets::{CurrentSecretValue, SecretDescription, SecretsClient};
pub use signed_request::date_of;
