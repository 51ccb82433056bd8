//! `[defaults]` and `[profile.NAME]`: the settings under which jobs run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fargate_model::size::{CPU_UNITS, allowed_memory_mib};

use super::limits::JobLimits;
use super::ssh::SshSettings;
use super::strategy::{MAX_STRATEGY_ITEMS, StrategyItem, check_strategy};
use super::task_secret::{MAX_SECRETS, TaskSecret, check_secrets};
use super::timeouts::JobTimeouts;
use super::tmpfs_mount::{MAX_TMPFS, TmpfsMount, check_tmpfs};
use super::volume::StorageVolume;
use crate::channel_reference::{ManagedChannel, ManagedDigest};
use crate::job_size::JobSize;
use crate::keyword::{
    self as words, HostKey, LaunchType, LaunchWord, PublicIp, RefBinding, Shell, TagPropagation,
    TaskArchitecture, UnsupportedPolicy,
};
use crate::row::{
    flag, free_table, keyword, number, offered, path, seconds, table, tables, text, texts,
};
use crate::table::settings_table;
use crate::{check, patterns, role};

/// Most subnets and security groups of a task. Source: Amazon ECS API Reference,
/// `AwsVpcConfiguration`.
const MAX_SUBNETS: usize = 16;
const MAX_SECURITY_GROUPS: usize = 5;

/// Disk of a task in GiB, beyond the 20 that are always there. Source: Amazon ECS API Reference,
/// `EphemeralStorage`.
pub(crate) const MIN_DISK_GIB: u32 = 21;
pub(crate) const MAX_DISK_GIB: u32 = 200;

/// The capacity provider whose tasks AWS may take back.
const SPOT: &str = "FARGATE_SPOT";

/// Most providers to fall back to: Fargate has two.
const MAX_FALLBACKS: usize = 2;

/// Most values that a job may choose from. Ours: a longer list is no list of names any more.
const MAX_JOB_CHOICES: usize = 100;

/// Most volumes and most patterns of projects. Ours, as above.
const MAX_VOLUMES: usize = 20;
const MAX_PROJECTS: usize = 1000;

/// How long a task may be kept after its job. Ours: whoever looks for longer pays for longer.
const MIN_HOLD: Duration = Duration::from_mins(1);
const MAX_HOLD: Duration = Duration::from_hours(12);

/// Most registries that may be asked without TLS. Ours, as above.
const MAX_INSECURE_REGISTRIES: usize = 20;

settings_table! {
    /// The settings under which jobs run: `[defaults]`, or one `[profile.NAME]` on top of them.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct JobProfile {
        beside {
            /// The profile's name; `None` for `[defaults]` alone.
            pub name: Option<String>,
            /// The volumes that `volumes` names, in its order.
            pub storage: Vec<StorageVolume>,
            /// What the job chose of the size of its task.
            pub job_size: JobSize,
            /// The channel that `image` names, if it names one of an `[image.NAME]`.
            pub channel: Option<ManagedChannel>,
            /// The version that `image` names by its digest, if it is one of an `[image.NAME]`.
            pub listed: Option<ManagedDigest>,
        }
        /// The ECS cluster: its name or ARN.
        pub cluster: String = text(check::cluster).example("\"ci\""),
        /// The AWS Region.
        pub region: Option<String> = text(check::region)
            .or_absent("AWS_REGION and the rest of the AWS SDK's own chain")
            .example("\"eu-west-1\""),
        /// Subnets of one VPC, best in several zones. Each task uses one; jobs begin with different ones,
        /// and go on to the next where there is no capacity or no free address. They need a route to the internet through a NAT
        /// gateway, because a task gets no public IP address unless `public_ip` says so.
        pub subnets: Vec<String> =
            texts(1, MAX_SUBNETS, check::subnet).example("[\"subnet-0a1\"]"),
        /// Security groups of every task. They must let this host in on the port below.
        pub security_groups: Vec<String> =
            texts(1, MAX_SECURITY_GROUPS, check::security_group).example("[\"sg-0a1\"]"),
        /// The task definition, made by somebody else: `"family"` (its newest active revision),
        /// `"family:revision"` or ARN. Give this or `image`; see the profile at the end.
        pub task_definition: Option<String> = text(check::task_definition).example("\"ci\""),
        /// The image of the container that runs the scripts. The task definition is then made from a
        /// template and from the keys of this profile, and registered if ECS does not have it yet.
        /// `"NAME@CHANNEL"` is a channel of `[image.NAME]`.
        pub image: Option<String> = text(check::image)
            .or_absent("`task_definition` names a definition")
            .example("\"my-organisation/my-image:latest\"")
            .instead_of("task_definition", "one says which task definition, the other makes one"),
        /// The container of the task definition that runs the scripts.
        pub container: String = text(check::container).or_text("job"),
        /// On what a task runs: `"FARGATE"`, or `"CLUSTER"` for whatever the cluster's default capacity
        /// provider strategy says. Give this or `capacity_provider_strategy`, which is how Spot is
        /// used; see the profile at the end.
        pub(crate) launch_type: LaunchWord = text(words::launch_type).or_text("FARGATE"),
        /// Shares of tasks among capacity providers instead of `launch_type`. Each item has a
        /// `provider`, `"FARGATE"` or `"FARGATE_SPOT"`; a `weight` of 0 to 1000 (default 1); and a `base`
        /// of 0 to 100000 tasks before weights count (default 0).
        pub(crate) capacity_provider_strategy: Option<Vec<StrategyItem>> =
            tables(1, MAX_STRATEGY_ITEMS, StrategyItem::SECTION, check_strategy)
                .or_absent("`launch_type` decides")
                .example("[{ provider = \"FARGATE_SPOT\", weight = 1 }]")
                .instead_of("launch_type", "ECS takes one of the two"),
        /// Capacity providers for a task that finds no capacity in any subnet, or that Spot took back before
        /// its job began, tried in this order after `launch_type` or `capacity_provider_strategy`: `"FARGATE"`,
        /// `"FARGATE_SPOT"`. See `limits.capacity_failures`. A provider that was just tried is left out.
        pub capacity_fallback: Vec<String> =
            texts(0, MAX_FALLBACKS, check::provider).or_empty().example("[\"FARGATE\"]"),
        /// Fargate platform version: `"LATEST"`, or a version such as `"1.4.0"`.
        pub platform_version: Option<String> = text(check::platform_version)
            .or_absent("ECS takes LATEST")
            .example("\"1.4.0\""),
        /// CPU units of the task; 1024 are one vCPU: 256, 512, 1024, 2048, 4096, 8192, 16384 or
        /// 32768. They replace those of a fixed task definition.
        pub cpu_units: Option<u32> = offered(cpu_expected, check_cpu)
            .named("cpu")
            .in_gitlabs_file("CPU")
            .or_absent("that of the task definition; with `image` 1024")
            .example("1024"),
        /// Memory in MiB; it must fit the CPU. It replaces that of a fixed task definition.
        pub memory_mib: Option<u32> = offered(memory_expected, check_memory)
            .named("memory")
            .or_absent("that of the task definition; with `image` the least that fits the CPU")
            .example("2048"),
        /// The secret of Secrets Manager with the login of the image's registry: its name or ARN. The
        /// execution role reads it. An image of ECR needs none.
        pub registry_secret: Option<String> = text(check::secret)
            .or_absent("the image is pulled without a login")
            .example("\"ci/registry\"")
            .needs("image"),
        /// Whether the driver asks the registry for the digest of `image` and starts the task from that
        /// digest, so that a tag that is moved in between changes nothing. It needs the right to
        /// secretsmanager:GetSecretValue on the registry secret. `false` is for a registry that only tasks
        /// can reach: they get the text as it is. An image of ECR is never asked for.
        pub pin_image: bool = flag().or_flag(true).needs("image"),
        /// Registries, each with its port, that the driver may ask without TLS. Whoever is on the way to
        /// such a registry can read its password. Fargate itself pulls over TLS alone.
        pub insecure_registries: Vec<String> =
            texts(0, MAX_INSECURE_REGISTRIES, check::registry).or_empty()
                .example("[\"registry.internal:5000\"]")
                .needs("image"),
        /// The role with which ECS prepares the task: it reads the registry secret, pulls from ECR and
        /// writes the container's log. A name or an ARN.
        pub execution_role: Option<String> = text(role::name_or_arn)
            .or_absent("the task definition names none")
            .example("\"arn:aws:iam::123456789012:role/ci-execution\"")
            .needs("image"),
        /// The role of the programs in the task, scripts included: a name or an ARN. It should allow
        /// nothing that a job does not need. It does not replace that of a fixed task definition.
        pub task_role: Option<String> = text(role::name_or_arn)
            .or_absent("the task definition decides; with `image` there is none")
            .example("\"arn:aws:iam::123456789012:role/ci-task\""),
        /// The processor that the image is made for: `"x86_64"` or `"arm64"`.
        pub architecture: TaskArchitecture =
            keyword::<TaskArchitecture>().or_text("x86_64").needs("image"),
        /// Disk of the task in GiB, for the image, compressed and unpacked, and for the job.
        pub ephemeral_storage_gib: Option<u32> = number(MIN_DISK_GIB, MAX_DISK_GIB)
            .or_absent("the 20 GiB that every task has")
            .example("50")
            .needs("image"),
        /// The log group of `CloudWatch` Logs for what the containers print. It must exist.
        pub log_group: Option<String> = text(check::log_group)
            .or_absent("what the containers print is kept nowhere")
            .example("\"/ci/tasks\"")
            .needs("image"),
        /// The volumes of EFS that a task mounts, by the names of their `[volume.NAME]`. A task without
        /// one starts some 20 s sooner.
        pub volumes: Vec<String> = texts(0, MAX_VOLUMES, check::volume_name).or_empty()
            .example("[\"cache\"]")
            .needs("image"),
        /// Secrets that the scripts get, each with a `name`, the variable; `from`, where ECS reads it: the ARN of
        /// a secret, or the name or ARN of a parameter; and `as_file`, `true` for a file that only the job's
        /// user may read, whose path the variable holds (default `false`). The execution role reads them.
        pub secrets: Vec<TaskSecret> =
            tables(0, MAX_SECRETS, TaskSecret::SECTION, check_secrets).or_empty()
                .example("[{ name = \"NPM_TOKEN\", from = \"/ci/npm\" }]")
                .needs("image"),
        /// Folders in memory, each with a `path` inside the task and a `size_mib`, which counts as memory of the
        /// task.
        pub tmpfs: Vec<TmpfsMount> =
            tables(0, MAX_TMPFS, TmpfsMount::SECTION, check_tmpfs).or_empty()
                .example("[{ path = \"/scratch\", size_mib = 512 }]")
                .needs("image"),
        /// The template of the task definition: `"ci"` or `"manager"`, which are part of the program,
        /// or the absolute path of a file. See `task-definitions/README.md`.
        pub task_definition_template: String =
            text(check::template).or_text("ci").needs("image"),
        /// The family under which the task definition is registered. Only revisions of this family
        /// that this program made are looked up and pruned.
        pub task_definition_family: String =
            text(check::family).or_text("fargate-runner-ci").needs("image"),
        /// How the host key of a task is proven before any script is sent to it. `"seed"`: a one-time
        /// seed from which fargate-agent makes its key; it stops anyone on the network, not someone
        /// who may read DescribeTasks. `"sts"`: fargate-agent makes its key itself and proves it by
        /// `task_role`, and this host asks STS who signed the proof; it stops both, and nothing secret is
        /// in any call to AWS. `"first_use"`, for images with an sshd of their own: the key that
        /// the task shows first is pinned for all later stages; it stops nobody who stands in the way
        /// from the beginning, and the driver connects only once ECS says RUNNING.
        pub host_key: HostKey = keyword::<HostKey>().or_text("seed"),
        /// Whether a task gets a public IP address: `"none"`, `"assigned"` (for its way out; it is reached
        /// by its private address) or `"dialled"` (it is reached by the public one too, which needs the
        /// right to ec2:DescribeNetworkInterfaces).
        pub public_ip: PublicIp =
            keyword::<PublicIp>().in_gitlabs_file("PublicIP").or_text("none"),
        /// Whether `aws ecs execute-command` may open a shell in a task. The task role needs the
        /// rights of Systems Manager for it.
        pub enable_execute_command: bool = flag().or_flag(false),
        /// Whether a task gets the tags of its task definition, for cost reports: `"none"` or
        /// `"task_definition"`. Like `tags`, it needs the right ecs:TagResource.
        pub propagate_tags: TagPropagation = keyword::<TagPropagation>().or_text("none"),
        /// Whether ECS adds its own tag `aws:ecs:clusterName` to each task, for cost reports.
        pub enable_ecs_managed_tags: bool = flag().or_flag(false),
        /// Task definitions that a job may choose by its variable `FARGATE_TASK_DEFINITION`, each
        /// written as the job writes it. Whoever writes a pipeline can then run jobs under their task
        /// roles.
        pub job_task_definitions: Vec<String> =
            texts(0, MAX_JOB_CHOICES, check::task_definition).or_empty()
                .example("[\"ci-large\"]"),
        /// Platform versions that a job may choose by its variable `FARGATE_PLATFORM_VERSION`.
        pub job_platform_versions: Vec<String> =
            texts(0, MAX_JOB_CHOICES, check::platform_version).or_empty()
                .example("[\"1.4.0\"]"),
        /// The projects that this profile is for: `"group/project"`, with `*` for one part of a path and
        /// `**` at the end for all that follow. A job without `--profile` gets the first profile of the
        /// file that is for it, unless `[images]` leads to another that is; a job with one that is not for
        /// it fails. Without this key a profile is for every job to which `--profile` or `[images]` gives it.
        pub projects: Vec<String> =
            texts(0, MAX_PROJECTS, patterns::project_pattern).or_empty()
                .example("[\"group/project\"]"),
        /// The refs of those projects that this profile is for: `"any"`, or `"protected"` for
        /// protected branches and tags alone.
        pub refs: RefBinding = keyword::<RefBinding>().or_text("any"),
        /// What becomes of a job that asks for an image, a service or a size that it does not get: `"warn"`
        /// says so in its log and runs it, `"refuse"` fails it at once.
        pub on_unsupported: UnsupportedPolicy =
            keyword::<UnsupportedPolicy>().or_text("warn"),
        /// Most CPU units that a job may ask for by its variable `FARGATE_CPU`.
        pub job_max_cpu: Option<u32> = offered(cpu_expected, check_cpu)
            .in_gitlabs_file("JobMaxCPU")
            .or_absent("no job chooses")
            .example("4096"),
        /// Most memory in MiB that a job may ask for by its variable `FARGATE_MEMORY`.
        pub job_max_memory: Option<u32> = offered(memory_expected, check_memory)
            .or_absent("no job chooses")
            .example("8192"),
        /// Most disk in GiB that a job may ask for by its variable `FARGATE_EPHEMERAL_STORAGE`.
        pub job_max_ephemeral_storage_gib: Option<u32> = number(MIN_DISK_GIB, MAX_DISK_GIB)
            .or_absent("no job chooses")
            .example("100"),
        /// Whether a job may choose between Spot and on-demand capacity by its variable `FARGATE_SPOT`.
        pub job_spot: bool = flag().or_flag(false),
        /// Longest time that the task of a failed job may be kept for a person to look into it. A job asks
        /// by its variable `FARGATE_HOLD`, such as `30m`; a person by `fargate-runner jobs hold`.
        pub job_max_hold: Option<Duration> = seconds(MIN_HOLD, MAX_HOLD)
            .or_absent("no task is kept")
            .example("\"30m\""),
        /// A role to assume before any call to AWS.
        pub assume_role_arn: Option<String> = text(role::arn)
            .or_absent("the credentials of this host")
            .example("\"arn:aws:iam::123456789012:role/ci-runner\""),
        /// What the role's trust policy asks for: 2 to 1224 ASCII letters, digits and
        /// `_ + = , . @ : / -`.
        pub assume_role_external_id: Option<String> =
            text(role::external_id)
                .or_absent("the driver sends none")
                .example("\"ci\"")
                .needs("assume_role_arn"),
        /// The name of the role's session, as `CloudTrail` shows it: 2 to 64 ASCII letters, digits and
        /// `_ + = , . @ -`.
        pub assume_role_session_name: Option<String> =
            text(role::session_name)
                .or_absent("\"fargate-runner\"")
                .example("\"ci-host-1\"")
                .needs("assume_role_arn"),
        /// A PEM file with the authorities to trust for calls to AWS instead of this machine's, for a
        /// proxy that opens TLS. An absolute path.
        pub ca_bundle: Option<PathBuf> = path(check::absolute_path)
            .or_absent("AWS_CA_BUNDLE")
            .example("\"/etc/ssl/certs/proxy.pem\""),
        /// The shell that gitlab-runner is told to write scripts for: `"bash"` or `"sh"`; `"runner"` tells it
        /// nothing, its own configuration decides. The image must have it.
        pub shell: Shell = keyword::<Shell>().or_text("bash"),
        /// Folder inside the task for builds. An absolute path.
        pub builds_dir: Option<String> =
            text(check::absolute_path).or_absent("the driver chooses").example("\"/builds\""),
        /// Folder inside the task for caches. An absolute path.
        pub cache_dir: Option<String> =
            text(check::absolute_path).or_absent("the driver chooses").example("\"/cache\""),
        /// How a task is reached.
        pub ssh: SshSettings = table(SshSettings::SECTION),
        /// Every wait, deadline and pause. The limits are wide; `config check` knows them.
        pub timeouts: JobTimeouts = table(JobTimeouts::SECTION),
        /// How often something may be done.
        pub limits: JobLimits = table(JobLimits::SECTION),
        /// Tags of every task, for cost reports: up to 40, names of 1 to 128 and values of up to 256
        /// letters, digits, spaces and `_ . : / = + - @`. Names that begin with `aws:` or
        /// `fargate-runner:` are reserved.
        pub tags: BTreeMap<String, String> = free_table(check::tag_key, check::tag_value),
    }
}

/// On what a task runs. ECS takes a launch type or a strategy, never both.
///
/// Source: Amazon ECS API Reference, `RunTask`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchMode {
    /// A launch type.
    Type(LaunchType),
    /// A capacity provider strategy, 1 to 20 items.
    Strategy(Vec<StrategyItem>),
    /// Neither: the cluster's default capacity provider strategy decides.
    ClusterDefault,
}

/// Which task definition a task is started from. A profile names exactly one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefinitionSource<'a> {
    /// One that somebody else made: family, family and revision, or ARN. Nothing is registered.
    Fixed(&'a str),
    /// One that is made from a template for this image.
    Derived(&'a str),
}

/// How AWS is reached and as whom, beside what the SDK reads from its own environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountSettings {
    /// A role to assume before any call.
    pub role: Option<RoleSettings>,
    /// A PEM file with the authorities to trust instead of the built-in ones; `None` leaves it to
    /// `AWS_CA_BUNDLE`.
    pub ca_bundle: Option<PathBuf>,
}

/// A role that is assumed before any call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSettings {
    /// Its ARN.
    pub arn: String,
    /// What the role's trust policy may ask for.
    pub external_id: Option<String>,
    /// The name of its session, as AWS keeps it in its record of calls.
    pub session_name: Option<String>,
}

impl JobProfile {
    /// On what a task runs: one choice that two keys make.
    #[must_use]
    pub fn launch(&self) -> LaunchMode {
        match (&self.capacity_provider_strategy, self.launch_type) {
            (Some(items), _) => LaunchMode::Strategy(items.clone()),
            (None, LaunchWord::Fargate) => LaunchMode::Type(LaunchType::Fargate),
            (None, LaunchWord::Cluster) => LaunchMode::ClusterDefault,
        }
    }

    /// Whether its tasks run on Spot alone or not on Spot at all; `None` if both may happen. What
    /// follows a lack of capacity counts as well.
    pub(crate) fn is_on_spot(&self) -> Option<bool> {
        let falls_back = |name: &str| self.capacity_fallback.iter().any(|other| other == name);
        match self.launch() {
            LaunchMode::Type(_) => (!falls_back(SPOT)).then_some(false),
            LaunchMode::Strategy(items) => match items.as_slice() {
                [only] if only.provider == SPOT => Some(true),
                all if all.iter().all(|item| item.provider != SPOT) && !falls_back(SPOT) => {
                    Some(false)
                }
                _ => None,
            },
            LaunchMode::ClusterDefault => None,
        }
    }

    /// Puts its tasks on Spot first, or on no Spot at all.
    pub(crate) fn set_spot(&mut self, on_spot: bool) {
        if on_spot {
            let item = StrategyItem { provider: SPOT.to_owned(), weight: 1, base: 0 };
            self.capacity_provider_strategy = Some(vec![item]);
        } else {
            self.launch_type = LaunchWord::Fargate;
            self.capacity_provider_strategy = None;
            self.capacity_fallback.retain(|name| name != SPOT);
        }
    }

    /// Which task definition a task is started from: one choice that two keys make.
    #[must_use]
    pub fn definition(&self) -> DefinitionSource<'_> {
        match (&self.image, &self.task_definition) {
            (Some(image), _) => DefinitionSource::Derived(image),
            (None, fixed) => DefinitionSource::Fixed(fixed.as_deref().unwrap_or_default()),
        }
    }

    /// How AWS is reached and as whom.
    #[must_use]
    pub fn account(&self) -> AccountSettings {
        let role = self.assume_role_arn.clone().map(|arn| RoleSettings {
            arn,
            external_id: self.assume_role_external_id.clone(),
            session_name: self.assume_role_session_name.clone(),
        });
        AccountSettings { role, ca_bundle: self.ca_bundle.clone() }
    }
}

fn cpu_expected() -> String {
    let allowed: Vec<_> = CPU_UNITS.iter().map(u32::to_string).collect();
    format!("one of the numbers {}", allowed.join(", "))
}

fn check_cpu(units: u32) -> Result<(), Option<String>> {
    CPU_UNITS.contains(&units).then_some(()).ok_or(None)
}

/// Every size of memory that Fargate offers with some CPU, in MiB, sorted.
fn memory_offers() -> Vec<u32> {
    let mut offers: Vec<u32> =
        CPU_UNITS.iter().filter_map(|&cpu| allowed_memory_mib(cpu)).flatten().collect();
    offers.sort_unstable();
    offers
}

fn memory_expected() -> String {
    let offers = memory_offers();
    let [least, .., most] = offers.as_slice() else { return "a number of MiB".to_owned() };
    format!("a number of MiB that Fargate offers, from {least} to {most},")
}

fn check_memory(mib: u32) -> Result<(), Option<String>> {
    let offers = memory_offers();
    match offers.binary_search(&mib) {
        Ok(_) => Ok(()),
        Err(above) => {
            let nearest = offers.get(above).or(offers.last());
            Err(nearest.map(|nearest| format!("`memory = {nearest}`")))
        }
    }
}
