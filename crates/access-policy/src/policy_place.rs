//! One cluster in one account and Region, and what the profiles that use it name.

use std::collections::{BTreeMap, BTreeSet};

use fargate_config::{
    DefinitionSource, JobProfile, ManagedImage, PublicIp, StorageVolume, VolumeAccess,
};

use crate::catalogued_call::{CallNeed, CallTarget, PlaceSetting};
use crate::place_arn::{ArnPlace, ecr_repository, resource_of};

/// What follows the name of a secret in its ARN. Source: AWS Secrets Manager User Guide, "IAM policy examples".
const SECRET_END: &str = "-??????";

/// One cluster, and everything that jobs there use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPlace {
    pub(crate) arns: ArnPlace,
    /// The cluster's name.
    pub(crate) cluster: String,
    /// ARNs, with wildcards where the rest is unknown.
    named: BTreeMap<CallTarget, BTreeSet<String>>,
    settings: BTreeSet<PlaceSetting>,
}

impl PolicyPlace {
    /// A cluster for which nothing is known yet.
    pub(crate) fn new(arns: ArnPlace, cluster: &str) -> Self {
        let cluster = resource_of(cluster).trim_start_matches("cluster/").to_owned();
        let (named, settings) = (BTreeMap::new(), BTreeSet::new());
        let mut place = Self { arns, cluster, named, settings };
        let tasks = place.arns.arn("ecs", &format!("task/{}/*", place.cluster));
        place.add(CallTarget::Anything, "*");
        place.add(CallTarget::Cluster, place.cluster_arn());
        place.add(CallTarget::Tasks, tasks);
        place.add(CallTarget::AllRoles, place.arns.iam_arn("role/*"));
        place.add(CallTarget::AllKeys, place.arns.arn("kms", "key/*"));
        place.add(CallTarget::AllStacks, place.arns.arn("cloudformation", "stack/*"));
        place
    }

    /// The ARN of the cluster.
    #[must_use]
    pub fn cluster_arn(&self) -> String {
        self.arns.arn("ecs", &format!("cluster/{}", self.cluster))
    }

    /// The resources of a call here; none if nothing here needs the call.
    #[must_use]
    pub fn resources(&self, target: CallTarget) -> BTreeSet<String> {
        self.named.get(&target).cloned().unwrap_or_default()
    }

    /// Whether a call with this need is made here.
    #[must_use]
    pub fn needs(&self, need: CallNeed) -> bool {
        match need {
            CallNeed::Everywhere => true,
            CallNeed::Naming(target) => self.named.contains_key(&target),
            CallNeed::Setting(setting) => self.settings.contains(&setting),
        }
    }

    /// Adds what a profile names.
    pub(crate) fn add_profile(&mut self, profile: &JobProfile, images: &[ManagedImage]) {
        match profile.definition() {
            DefinitionSource::Fixed(name) => self.add_fixed_definition(name),
            DefinitionSource::Derived(image) => self.add_image(profile, image, images),
        }
        profile.job_task_definitions.iter().for_each(|name| self.add_fixed_definition(name));
        for role in profile.execution_role.iter().chain(&profile.task_role) {
            self.pass_role(role);
        }
        self.add_all(CallTarget::AssumedRoles, profile.assume_role_arn.clone());
        profile.log_group.iter().for_each(|group| self.add_log_group(group));
        profile.storage.iter().for_each(|volume| self.add_volume(volume));
        for secret in &profile.secrets {
            self.add_task_secret(&secret.from);
        }
        let settings = [
            (PlaceSetting::KeepsTasks, profile.job_max_hold.is_some()),
            (PlaceSetting::DialsPublicAddresses, profile.public_ip == PublicIp::Dialled),
            (PlaceSetting::UsesEcsExec, profile.enable_execute_command),
        ];
        let chosen = settings.into_iter().filter(|(_, is_chosen)| *is_chosen);
        self.settings.extend(chosen.map(|(setting, _)| setting));
    }

    /// Adds a topic that `serve` writes to.
    pub(crate) fn add_topic(&mut self, arn: &str) {
        self.add(CallTarget::ToldTopics, arn);
    }

    /// Adds what `[image.NAME]` names for whoever builds the image.
    pub(crate) fn add_managed_image(&mut self, image: &ManagedImage) {
        let repositories = std::iter::once(&image.repository).chain(&image.replicas);
        let repositories = repositories.filter_map(|one| ecr_repository(one));
        self.add_all(CallTarget::PushedRepositories, repositories);
        // Each login of a replica is `HOST=SECRET`.
        let replicas = image.replica_secrets.iter().filter_map(|login| login.split_once('='));
        for secret in
            image.registry_secret.iter().map(String::as_str).chain(replicas.map(|it| it.1))
        {
            self.add_registry_secret(secret);
        }
        let keys = image.signing_key.iter().filter(|key| key.starts_with("arn:"));
        self.add_all(CallTarget::SigningKeys, keys.cloned());
    }

    /// Adds a role that tasks get.
    pub(crate) fn pass_role(&mut self, role: &str) {
        let arn = match role.starts_with("arn:") {
            true => role.to_owned(),
            false => self.arns.iam_arn(&format!("role/{role}")),
        };
        self.add(CallTarget::PassedRoles, arn);
    }

    /// Adds a log group that containers write to.
    pub(crate) fn add_log_group(&mut self, group: &str) {
        let parts = [(CallTarget::LogStreams, "log-stream:*"), (CallTarget::LogGroups, "*")];
        for (target, part) in parts {
            self.add(target, self.arns.arn("logs", &format!("log-group:{group}:{part}")));
        }
    }

    fn add(&mut self, target: CallTarget, arn: impl Into<String>) {
        self.named.entry(target).or_default().insert(arn.into());
    }

    fn add_all(&mut self, target: CallTarget, arns: impl IntoIterator<Item = String>) {
        arns.into_iter().for_each(|arn| self.add(target, arn));
    }

    fn add_registry_secret(&mut self, secret: &str) {
        self.add_all(CallTarget::RegistrySecrets, named_secret_arns(&self.arns, secret));
    }

    fn add_fixed_definition(&mut self, name: &str) {
        let name = resource_of(name).trim_start_matches("task-definition/");
        // RunTask asks for a revision, also where the family alone is given.
        let pattern = match name.contains(':') {
            true => name.to_owned(),
            false => format!("{name}:*"),
        };
        let arn = self.arns.arn("ecs", &format!("task-definition/{pattern}"));
        self.add(CallTarget::Definitions, arn);
    }

    fn add_image(&mut self, profile: &JobProfile, image: &str, images: &[ManagedImage]) {
        let family = format!("task-definition/{}:*", profile.task_definition_family);
        let made = self.arns.arn("ecs", &family);
        self.add(CallTarget::Definitions, made.clone());
        self.add(CallTarget::MadeDefinitions, made);
        let managed = profile
            .channel
            .as_ref()
            .and_then(|channel| images.iter().find(|image| image.name == channel.image));
        let place = managed.map_or(image, |managed| managed.repository.as_str());
        let repository = ecr_repository(place);
        let is_of_ecr = repository.is_some();
        self.add_all(CallTarget::PulledRepositories, repository);
        if let Some(secret) = &profile.registry_secret {
            let arn = secret_arn(&self.arns, secret);
            self.add_registry_secret(secret);
            self.add(CallTarget::TaskSecrets, arn.clone());
            // An image of ECR is never asked for.
            if profile.pin_image && !is_of_ecr {
                self.add(CallTarget::AskedSecrets, arn);
            }
        }
    }

    fn add_volume(&mut self, volume: &StorageVolume) {
        let system = format!("file-system/{}", volume.file_system);
        let arn = self.arns.arn("elasticfilesystem", &system);
        self.add(CallTarget::PreparedFileSystems, arn.clone());
        if !volume.mount_target_security_groups.is_empty() {
            self.settings.insert(PlaceSetting::NamesMountTargetGroups);
        }
        match volume.access() {
            VolumeAccess::Made(_) => self.add(CallTarget::LookedUpFileSystems, arn),
            // `efs apply` writes no policy for these, so the role itself may need the right.
            VolumeAccess::Fixed(_) | VolumeAccess::Root if volume.iam => {
                self.add(CallTarget::MountedFileSystems, arn);
                if !volume.read_only {
                    self.settings.insert(PlaceSetting::WritesVolumes);
                }
            }
            VolumeAccess::Fixed(_) | VolumeAccess::Root => {}
        }
    }

    fn add_task_secret(&mut self, from: &str) {
        let resource = resource_of(from);
        match resource.strip_prefix("secret:") {
            // The ARN of a secret, perhaps with the part of it that is wanted.
            Some(rest) => {
                let name = rest.split(':').next().unwrap_or(rest);
                let head = &from[..from.len() - rest.len()];
                self.add(CallTarget::TaskSecrets, format!("{head}{name}"));
            }
            None if from.starts_with("arn:") => self.add(CallTarget::TaskParameters, from),
            None => {
                let parameter = format!("parameter/{}", from.trim_start_matches('/'));
                self.add(CallTarget::TaskParameters, self.arns.arn("ssm", &parameter));
            }
        }
    }
}

/// The same, and the ARN that a secret has for IAM before it is made.
fn named_secret_arns(place: &ArnPlace, secret: &str) -> BTreeSet<String> {
    let before = place.arn("secretsmanager", &format!("secret:{secret}"));
    let is_name = !secret.starts_with("arn:");
    std::iter::once(secret_arn(place, secret)).chain(is_name.then_some(before)).collect()
}

/// The ARN of a secret that is named by its name or its ARN. The end of an ARN is drawn when a secret is made.
fn secret_arn(place: &ArnPlace, secret: &str) -> String {
    match secret.starts_with("arn:") {
        true => secret.to_owned(),
        false => place.arn("secretsmanager", &format!("secret:{secret}{SECRET_END}")),
    }
}
