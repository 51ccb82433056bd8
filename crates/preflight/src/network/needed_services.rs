//! Which services of AWS ECS and a task call for a job: without a way out, each needs an endpoint.
//!
//! Source: Amazon ECS Developer Guide, "Amazon ECS interface VPC endpoints"; Amazon ECR User Guide,
//! "Amazon ECR interface VPC endpoints".

use std::collections::BTreeMap;

use fargate_aws::{EndpointKind, VpcEndpoint};
use fargate_config::{DefinitionSource, JobProfile};
use fargate_registry::ImageReference;

use crate::account_view::AccountView;
use crate::check_finding::CheckFinding;
use crate::job_needs::JobNeeds;
use crate::views::{DefinitionUse, NetworkView};

/// The layers of images of ECR are in S3, which has an endpoint of its own kind.
pub const S3_SERVICE: &str = "s3";

/// What the tasks of some profiles call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NeededServices {
    /// The services, each with what it is for.
    pub services: BTreeMap<&'static str, &'static str>,
    /// Images that are not in ECR: no endpoint leads to their registries.
    pub outside_images: Vec<String>,
    /// Images in ECR of another Region to which no endpoint leads, each with its Region.
    pub foreign_images: Vec<(String, String)>,
    /// What is not known of task definitions.
    pub unknown: Vec<CheckFinding>,
}

/// What tasks of these profiles call. A name `None` stands for `[defaults]`.
pub fn needed_services(
    needs: &JobNeeds,
    view: &AccountView,
    names: &[Option<String>],
) -> NeededServices {
    let mut found = NeededServices::default();
    for profile in needs.profiles.iter().filter(|profile| names.contains(&profile.name)) {
        found.add_profile(needs, view, profile);
    }
    found
}

impl NeededServices {
    fn add_profile(&mut self, needs: &JobNeeds, view: &AccountView, profile: &JobProfile) {
        if profile.enable_execute_command {
            self.services.insert("ssmmessages", "a shell in a task");
        }
        match profile.definition() {
            DefinitionSource::Derived(image) => {
                self.add_use(&view.network, &derived_use(needs, profile, image));
            }
            DefinitionSource::Fixed(name) => {
                let subject = format!("what the task definition {name} uses");
                let reading = view.cluster.definition_uses.get(name);
                match reading.map(|reading| reading.or_unknown(&subject)) {
                    Some(Ok(known)) => self.add_use(&view.network, known),
                    Some(Err(unknown)) => self.unknown.push(unknown),
                    None => self
                        .unknown
                        .push(CheckFinding::unknown(format!("{subject}: it was not read"))),
                }
            }
        }
    }

    fn add_use(&mut self, network: &NetworkView, definition: &DefinitionUse) {
        if definition.writes_logs {
            self.services.insert("logs", "the log of containers");
        }
        if definition.reads_secrets {
            self.services.insert("secretsmanager", "secrets");
        }
        if definition.reads_parameters {
            self.services.insert("ssm", "parameters");
        }
        for image in &definition.images {
            let parsed = image.parse::<ImageReference>().ok();
            if let Some(host) = parsed.as_ref().and_then(ImageReference::ecr_host) {
                let found = (image.clone(), host.region.to_owned());
                if is_foreign(network, host.region) && !self.foreign_images.contains(&found) {
                    self.foreign_images.push(found);
                }
                self.services.insert("ecr.api", "the login of ECR");
                self.services.insert("ecr.dkr", "the image");
                self.services.insert(S3_SERVICE, "the layers of the image");
            } else if !self.outside_images.contains(image) {
                self.outside_images.push(image.clone());
            }
        }
    }
}

/// Whether a Region of ECR is not that of the tasks, and no endpoint leads to it. The private name of an endpoint
/// holds for one Region: `*.dkr.ecr.REGION.amazonaws.com`.
fn is_foreign(network: &NetworkView, region: &str) -> bool {
    // A zone is named after its Region: `eu-west-1a`. Without a subnet another check fails.
    let mut subnets = network.task_subnets.known().into_iter().flatten().peekable();
    let is_elsewhere =
        subnets.peek().is_some() && subnets.all(|subnet| !subnet.zone.starts_with(region));
    let service = format!(".{region}.ecr.dkr");
    let mut endpoints = network.endpoints.known().into_iter().flatten();
    is_elsewhere && !endpoints.any(|endpoint| endpoint.service.ends_with(&service))
}

/// What the task definition that this program makes for a profile uses.
fn derived_use(needs: &JobNeeds, profile: &JobProfile, image: &str) -> DefinitionUse {
    let managed = profile.channel.as_ref().and_then(|channel| {
        needs.managed_images.iter().find(|managed| managed.name == channel.image)
    });
    let is_secret = |from: &str| from.contains(":secretsmanager:");
    DefinitionUse {
        images: vec![managed.map_or(image, |managed| &managed.repository).to_owned()],
        writes_logs: profile.log_group.is_some(),
        reads_secrets: profile.registry_secret.is_some()
            || profile.secrets.iter().any(|secret| is_secret(&secret.from)),
        reads_parameters: profile.secrets.iter().any(|secret| !is_secret(&secret.from)),
    }
}

/// Whether an endpoint is of this service: `com.amazonaws.REGION.ecr.api`, in China `cn.com.amazonaws...`.
pub fn is_endpoint_of(endpoint: &VpcEndpoint, service: &str) -> bool {
    let name = endpoint.service.strip_prefix("cn.").unwrap_or(&endpoint.service);
    let before = name.strip_suffix(service);
    before.is_some_and(|before| before.ends_with('.') && before.matches('.').count() == 3)
}

/// The interface of a service by which its usual name leads into the VPC.
pub fn interface_of<'a>(
    endpoints: &'a [VpcEndpoint],
    vpc: &str,
    service: &str,
) -> Option<&'a VpcEndpoint> {
    endpoints.iter().find(|endpoint| {
        endpoint.vpc == vpc
            && endpoint.kind == EndpointKind::Interface
            && is_endpoint_of(endpoint, service)
    })
}

/// Whether tasks of a subnet that has no route out live on endpoints: the VPC has one for them.
pub fn has_some_interface(endpoints: &[VpcEndpoint], vpc: &str, needed: &NeededServices) -> bool {
    let found = |service: &&'static str| -> bool {
        interface_of(endpoints, vpc, service).is_some_and(|it| it.state == "available")
    };
    needed.services.keys().filter(|service| **service != S3_SERVICE).any(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_of_a_service_by_its_whole_name() {
        let endpoint = |service: &str| VpcEndpoint {
            id: "vpce-1".to_owned(),
            vpc: "vpc-1".to_owned(),
            service: service.to_owned(),
            kind: EndpointKind::Interface,
            state: "available".to_owned(),
            has_private_dns: true,
            route_tables: Vec::new(),
            subnets: Vec::new(),
            groups: Vec::new(),
            policy: None,
        };
        assert!(is_endpoint_of(&endpoint("com.amazonaws.eu-west-1.ecr.api"), "ecr.api"));
        assert!(is_endpoint_of(&endpoint("cn.com.amazonaws.cn-north-1.ecr.dkr"), "ecr.dkr"));
        assert!(!is_endpoint_of(&endpoint("com.amazonaws.eu-west-1.airflow.logs"), "logs"));
        assert!(!is_endpoint_of(&endpoint("com.amazonaws.eu-west-1.ssmmessages"), "messages"));
    }
}
