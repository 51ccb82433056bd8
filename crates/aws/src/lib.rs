//! How this host reaches AWS: the network way, the certificates it trusts, and the credentials it
//! calls with. All clients get these from one [`AwsAccount`].
//!
//! It knows no task and no state. A call is made once: `retry` is the one policy by which callers
//! repeat it. [`AwsAccount::call`] corrects this host's clock and renews credentials.

mod account;
mod call;
mod call_counter;
mod caller_identity;
mod causes;
mod cloudformation;
mod credential_cache;
mod credential_error;
mod ec2;
mod ecr;
mod ecs_json;
mod efs;
mod efs_resources;
mod endpoints;
mod foreign_request;
mod foreign_stream;
mod http;
mod iam;
mod iam_answers;
mod json_refusal;
mod kms;
mod log_groups;
mod logs;
mod own_identity;
mod process;
mod profile_lines;
mod profile_rules;
mod profiles;
mod proxy;
mod quotas;
mod retry;
mod role;
mod secrets;
mod signed_request;
mod sns;
mod source;
mod trust;
mod web_client;
mod xml_refusal;

pub use account::AwsAccount;
pub use call::{CallError, is_of_clock, is_throttling};
pub use call_counter::CallCounter;
pub use caller_identity::{CallerIdentity, IdentityEndpoint};
pub use cloudformation::StackDescription;
pub use ec2::{
    AclEntry, EndpointKind, GroupPeer, GroupRule, InternetGateway, NatGateway, NatGatewayAddress,
    NetworkAcl, PortRange, RouteDestination, RouteTarget, SecurityGroup, SubnetPlace,
    TrafficProtocol, VpcDns, VpcEndpoint, VpcInterface, VpcRoute, VpcRouteTable, VpcShape,
    VpcSubnet,
};
pub use ecr::{EcrImage, EcrLogin, EcrRepository, EcrTagMutability};
pub use ecs_json::EcsOperation;
pub use efs::EfsClient;
pub use efs_resources::{
    AccessPointShape, EFS_AVAILABLE, EfsAccessPoint, EfsFileSystem, EfsMountTarget, NewAccessPoint,
};
pub use foreign_stream::{StreamedAnswer, StreamedBody};
pub use iam::{AttachedIamPolicy, IamRole, PolicySimulation, SimulatedAction};
pub use kms::KmsKeyFacts;
pub use logs::{ContainerLogPage, LogStream};
pub use own_identity::DatedIdentity;
pub use quotas::ServiceQuota;
pub use retry::retry;
pub use secrets::{CurrentSecretValue, SecretDescription, SecretsClient};
pub use signed_request::date_of;
pub use sns::TopicMessage;
pub use web_client::{WebClient, WebRequest};
