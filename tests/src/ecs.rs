//! A client of a local cloud that is not the product's, and what tests register with it.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::{BehaviorVersion, Region};
use aws_sdk_ecs::types::builders::ContainerDefinitionBuilder;
use aws_sdk_ecs::types::{Compatibility, NetworkMode, Volume};
use fargate_local_cloud::LocalCloud;

use crate::administrator;

/// A client of `cloud`, in the Region of the configuration that it writes.
#[must_use]
pub fn client(cloud: &LocalCloud) -> Client {
    let config = aws_sdk_ecs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(cloud.endpoint())
        .credentials_provider(administrator::credentials(cloud))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

/// A client of the Secrets Manager of `cloud`, in the same Region.
#[must_use]
pub fn secrets_client(cloud: &LocalCloud) -> aws_sdk_secretsmanager::Client {
    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(aws_sdk_secretsmanager::config::BehaviorVersion::latest())
        .region(aws_sdk_secretsmanager::config::Region::new("eu-west-1"))
        .endpoint_url(cloud.endpoint())
        .credentials_provider(administrator::credentials(cloud))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_secretsmanager::Client::from_conf(config)
}

/// Stores a login as ECS reads it from the secret of `repositoryCredentials`. Returns the secret's ARN.
///
/// # Panics
///
/// If the cloud refuses it.
pub async fn store_login(
    cloud: &LocalCloud,
    secret: &str,
    (username, password): (&str, &str),
) -> String {
    let secrets = secrets_client(cloud);
    let login = serde_json::json!({ "username": username, "password": password });
    let made = secrets.create_secret().name(secret).secret_string(login.to_string()).send().await;
    made.expect("a secret that the cloud takes").arn().expect("it has an ARN").to_owned()
}

/// Registers a task definition like the cloud's own, with another container, called `job` unless
/// it has a name, and with volumes that it may mount.
///
/// # Panics
///
/// If the cloud refuses it.
pub async fn register(
    ecs: &Client,
    family: &str,
    container: ContainerDefinitionBuilder,
    volumes: Vec<Volume>,
) -> String {
    let name = container.get_name().clone().unwrap_or_else(|| "job".to_owned());
    let call = ecs.register_task_definition();
    let call = call
        .family(family)
        .network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(Compatibility::Fargate)
        .cpu("1024")
        .memory("2048")
        .set_volumes(Some(volumes).filter(|volumes| !volumes.is_empty()))
        .container_definitions(container.name(name).image("registry.example/job:2").build());
    call.send().await.expect("a definition that the cloud takes");
    family.to_owned()
}
