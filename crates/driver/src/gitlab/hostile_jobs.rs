//! Whatever a job says, in its variables, its image, its services and the names of its branches: no request
//! leaves what the configuration allows.
//!
//! The way is the real one, from the response file and the variables to the RunTask that the SDK serialises
//! and the task definition that is registered. What is allowed is written here a second time, as a table.

mod generator;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use aws_sdk_ecs::operation::run_task::RunTaskInput;
use aws_sdk_ecs::types::{AssignPublicIp, LaunchType};
use fargate_config::{
    ChoiceFlags, JobProfile, RunnerConfig, UnknownKeyPolicy, VolumeAccess, parse,
};
use fargate_events::EventEmitter;
use fargate_mask::SharedMasker;
use fargate_model::id::{RandomToken, TaskOwner};
use fargate_model::size::FargateSize;
use fargate_state::{TaskCapacity, TaskOrigin};
use fargate_task_definition::RenderedDefinition;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use self::generator::{HostileJob, hostile_job};
use super::job_profile::chosen_profile;
use super::prepare::task_request;
use super::unmet_requests::apply_requests;
use super::{JobResponse, StageEnvironment, job_variable};
use crate::context::{DriverSettings, JobContext, WallClock};
use crate::job::{TaskKeys, task_spec};
use crate::session::CancelHandle;
use crate::task::{EcsClient, JobBinding, LaunchPlace};

const CASES: u32 = 10_000;

/// Two bound profiles of one project, one that is bound to another, one for everybody, and one of a fixed
/// definition.
const CONFIGURATION: &str = r#"
    config_version = 1
    owner = "host-1"
    [volume.data]
    file_system = "fs-1"
    path = "/data"
    separation = "project"
    [defaults]
    cluster = "ci"
    region = "eu-west-1"
    subnets = ["subnet-1", "subnet-2"]
    security_groups = ["sg-1"]
    image = "ci/plain:1"
    [profile.deploy]
    projects = ["shop/app"]
    refs = "protected"
    task_role = "arn:aws:iam::123456789012:role/deploy"
    execution_role = "arn:aws:iam::123456789012:role/execution"
    volumes = ["data"]
    secrets = [{ name = "KEY", from = "/ci/deploy" }]
    [profile.shop]
    projects = ["shop/**"]
    image = "ci/shop:1"
    task_role = "arn:aws:iam::123456789012:role/shop"
    volumes = ["data"]
    cpu = 1024
    memory = 2048
    job_max_cpu = 4096
    job_max_memory = 16384
    job_max_ephemeral_storage_gib = 50
    job_spot = true
    [profile.sandbox]
    projects = ["forks/**"]
    image = "ci/sandbox:1"
    capacity_provider_strategy = [{ provider = "FARGATE_SPOT" }]
    job_max_cpu = 2048
    [profile.open]
    image = "ci/open:1"
    [profile.fixed]
    task_definition = "fixed:3"
    job_task_definitions = ["fixed-large"]
    job_platform_versions = ["1.4.0"]
    job_max_memory = 8192
    [images]
    "node*" = "deploy"
    "open*" = "open"
    "fixed*" = "fixed"
    "shop*" = "shop"
"#;

static CONFIG: LazyLock<RunnerConfig> = LazyLock::new(|| {
    let read = parse(CONFIGURATION, Path::new("config.toml"), UnknownKeyPolicy::Refuse);
    read.expect("a configuration without an error").config
});

/// The most that a job with this profile may have.
struct AllowedTask {
    definitions: &'static [&'static str],
    spot: Option<bool>,
    platforms: &'static [Option<&'static str>],
    cpu: u32,
    memory: u32,
    disk: Option<i32>,
}

fn allowed(profile: &str) -> AllowedTask {
    let plain = AllowedTask {
        definitions: &["derived"],
        spot: Some(false),
        platforms: &[None],
        cpu: 1024,
        memory: 2048,
        disk: None,
    };
    match profile {
        "shop" => AllowedTask { cpu: 4096, memory: 16384, disk: Some(50), spot: None, ..plain },
        // More CPU would need more memory than it may have.
        "sandbox" => AllowedTask { spot: Some(true), ..plain },
        "fixed" => AllowedTask {
            definitions: &["fixed:3", "fixed-large"],
            platforms: &[None, Some("1.4.0")],
            cpu: 0,
            memory: 8192,
            ..plain
        },
        "deploy" | "open" | "" => plain,
        other => panic!("no such profile: {other}"),
    }
}

/// Whether a job of this project may run under this profile at all.
fn may_have(profile: &str, job: &HostileJob) -> bool {
    let (project, protected) = match job.has_response {
        true => (job.project.as_str(), job.is_protected),
        false => ("", false),
    };
    let is_shop = project.starts_with("shop/");
    let is_fork = project.starts_with("forks/");
    match profile {
        "deploy" => project == "shop/app" && protected,
        "shop" => is_shop,
        "sandbox" => is_fork,
        _ => !is_shop && !is_fork,
    }
}

/// Everything that stays the same for all jobs.
struct HostileHost {
    folder: tempfile::TempDir,
    ecs: EcsClient,
    keys: TaskKeys,
}

impl HostileHost {
    async fn open() -> Self {
        let masker = SharedMasker::default();
        let profile = CONFIG.profile(None).expect("a profile");
        let ecs = EcsClient::connect(&profile, &masker).await.expect("a client, without a call");
        let keys = TaskKeys::draw(&profile, &ecs, &masker).expect("random bytes");
        Self { folder: tempfile::tempdir().expect("a folder"), ecs, keys }
    }

    fn response(&self, job: &HostileJob) -> JobResponse {
        let path = self.folder.path().join("response.json");
        let response = json!({
            "id": 7,
            "job_info": { "project_id": 3, "project_full_path": job.project },
            "git_info": {
                "repo_url": format!("https://gitlab.example/{}.git", job.project),
                "ref": job.branch, "protected": job.is_protected,
            },
            "image": { "name": job.image },
            "services": job.services.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
            "variables": [{ "key": "CI_PROJECT_PATH", "value": "shop/app" }],
        });
        std::fs::write(&path, response.to_string()).expect("a writable file");
        let missing = || self.folder.path().join("none.json");
        let response_file: PathBuf = if job.has_response { path } else { missing() };
        let lookup = |name: &str| match name {
            "BUILD_FAILURE_EXIT_CODE" => Some("1".into()),
            "SYSTEM_FAILURE_EXIT_CODE" => Some("2".into()),
            "JOB_RESPONSE_FILE" => Some(response_file.clone().into_os_string()),
            // Without a response file, the job is at least one.
            "CUSTOM_ENV_CI_JOB_ID" | "CUSTOM_ENV_CI_PROJECT_ID" => Some("7".into()),
            "CUSTOM_ENV_CI_PROJECT_URL" => Some("https://gitlab.example/shop/app".into()),
            name => job.variable(name),
        };
        let environment = StageEnvironment::read(lookup).expect("a whole environment");
        JobResponse::read(&environment, lookup, &SharedMasker::default()).expect("a response")
    }

    /// The profile under which the job runs, and its launches in every place that may be tried. `None`
    /// if it is refused.
    fn launches(&self, job: &HostileJob) -> Option<(JobProfile, Vec<RunTaskInput>)> {
        let response = self.response(job);
        let mut choice = chosen_profile(&CONFIG, None, &response).ok()?;
        let variable = |name: &str| job_variable(|name| job.variable(name), name);
        let grammar = CONFIG.grammar();
        let flags = ChoiceFlags::default();
        let unmet = apply_requests(&mut choice, grammar, flags, &response, variable);
        for line in &unmet.warnings {
            assert!(!line.contains(char::is_control) && line.len() < 1000, "{line:?}");
        }
        let context = JobContext {
            settings: DriverSettings {
                owner: CONFIG.owner.clone(),
                state_dir: CONFIG.state_dir.clone(),
                profile: choice.profile,
                hold: None,
            },
            masker: SharedMasker::default(),
            cancel: CancelHandle::never(),
            clock: WallClock::system(),
            events: EventEmitter::tracing(),
        };
        let request = task_request(&context, &response);
        assert_eq!(request.origin, TaskOrigin::Gitlab);
        // What decides whose folders are mounted is what is true, or nothing.
        let known = job.has_response;
        assert_eq!(request.project.as_deref(), known.then_some(job.project.as_str()));
        assert_eq!(request.is_protected, known && job.is_protected);
        let profile = context.profile();
        let definition = profile.task_definition.as_deref().unwrap_or("derived");
        let owner = TaskOwner::try_from("host-1".to_owned()).expect("a plain word");
        let spec = task_spec(&context, &request, definition, owner, &self.keys);
        let binding = JobBinding { job: response.identity.key(), login: self.keys.login.clone() };
        let mut launches = Vec::new();
        for capacity in &spec.capacities {
            for subnet in &spec.subnets {
                let place = LaunchPlace { capacity: capacity.clone(), subnet: subnet.clone() };
                let token = RandomToken::from_bits([7; 16]);
                let launch = binding.bind(spec.request(token, place, Duration::from_secs(1)));
                let call = self.ecs.run_task_call(&launch);
                launches.push(call.as_input().clone().build().expect("every required member"));
                assert_eq!(launch.purchase, *capacity);
                assert_ne!(launch.purchase, TaskCapacity::ClusterDefault);
            }
        }
        Some((context.settings.profile, launches))
    }
}

/// Asserts that this call asks for nothing that the table does not allow.
fn is_allowed(call: &RunTaskInput, profile: &JobProfile) {
    let most = allowed(profile.name.as_deref().unwrap_or_default());
    assert_eq!(call.cluster(), Some("ci"));
    assert!(most.definitions.contains(&call.task_definition().expect("a definition")));
    assert!(most.platforms.contains(&call.platform_version()));
    assert_eq!((call.count(), call.started_by()), (Some(1), Some("host-1")));
    assert_eq!((call.group(), call.reference_id(), call.propagate_tags()), (None, None, None));
    assert_eq!((call.enable_execute_command(), call.enable_ecs_managed_tags()), (None, None));
    assert!(call.volume_configurations().is_empty() && call.placement_constraints().is_empty());
    let providers = call.capacity_provider_strategy();
    let on_spot = match (call.launch_type(), providers) {
        (Some(LaunchType::Fargate), []) => false,
        (None, [only]) if only.capacity_provider() == "FARGATE_SPOT" => true,
        other => panic!("{other:?}"),
    };
    assert!(most.spot.is_none_or(|spot| spot == on_spot), "{call:?}");
    let network = call.network_configuration().and_then(|n| n.awsvpc_configuration());
    let network = network.expect("a network");
    let [subnet] = network.subnets() else { panic!("{network:?}") };
    assert!(["subnet-1", "subnet-2"].contains(&subnet.as_str()));
    assert_eq!(network.security_groups(), ["sg-1"]);
    assert_eq!(network.assign_public_ip(), Some(&AssignPublicIp::Disabled));
    has_allowed_overrides(call, &most);
    for tag in call.tags() {
        let name = tag.key().and_then(|key| key.strip_prefix("fargate-runner:"));
        let known = ["launch", "job", "project", "profile", "owner", "deadline", "pipeline"];
        assert!(name.is_some_and(|name| known.contains(&name)), "{tag:?}");
    }
}

fn has_allowed_overrides(call: &RunTaskInput, most: &AllowedTask) {
    let overrides = call.overrides().expect("overrides");
    assert_eq!((overrides.task_role_arn(), overrides.execution_role_arn()), (None, None));
    let number = |text: Option<&str>| text.map(|text| text.parse::<u32>().expect("a number"));
    let (cpu, memory) = (number(overrides.cpu()), number(overrides.memory()));
    assert!(cpu.is_none_or(|cpu| cpu <= most.cpu), "{cpu:?}");
    assert!(memory.is_none_or(|memory| memory <= most.memory), "{memory:?}");
    if let (Some(cpu), Some(memory)) = (cpu, memory) {
        FargateSize::check(cpu, memory).expect("a size of Fargate's");
    }
    let disk = overrides.ephemeral_storage().map(|disk| disk.size_in_gib());
    assert!(disk.is_none_or(|gib| gib >= 21 && most.disk.is_some_and(|most| gib <= most)));
    let [container] = overrides.container_overrides() else { panic!("{overrides:?}") };
    assert_eq!(container.name(), Some("job"));
    assert!(container.command().is_empty() && container.environment_files().is_empty());
    assert_eq!((container.cpu(), container.memory()), (None, None));
    for variable in container.environment() {
        let known = [
            "SSH_PUBLIC_KEY",
            "FARGATE_RUNNER_IDLE_S",
            "FARGATE_RUNNER_LIFETIME_S",
            "FARGATE_RUNNER_CLIENT_GONE_S",
            "FARGATE_RUNNER_HOST_KEY_SEED",
            "FARGATE_RUNNER_JOB",
        ];
        assert!(variable.name().is_some_and(|name| known.contains(&name)), "{variable:?}");
    }
}

/// The access point that stands for a project and a protection level.
fn access_point(project: &str, is_protected: bool) -> String {
    let name = format!("{project} {is_protected}");
    format!("fsap-{}", hex::encode(&name.as_bytes()[..name.len().min(8)]))
}

/// What is registered for the profile, for these folders.
fn rendered(profile: &JobProfile, project: &str, is_protected: bool) -> serde_json::Value {
    let mut profile = profile.clone();
    for volume in &mut profile.storage {
        if let VolumeAccess::Made(_) = volume.access() {
            volume.access_point = Some(access_point(project, is_protected));
        }
    }
    let rendered = RenderedDefinition::of(&profile, "eu-west-1").expect("a definition");
    rendered.input().clone()
}

#[test]
fn no_job_gets_a_request_beyond_what_the_configuration_allows() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let host = runtime.expect("an event loop").block_on(HostileHost::open());
    let mut expected: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    let mut got: BTreeMap<String, u32> = BTreeMap::new();
    let (seen, definitions) =
        (std::cell::RefCell::new(&mut got), std::cell::RefCell::new(&mut expected));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&hostile_job(), |job| {
        let Some((profile, launches)) = host.launches(&job) else { return Ok(()) };
        let name = profile.name.clone().unwrap_or_default();
        assert!(may_have(&name, &job), "{name}");
        *seen.borrow_mut().entry(name.clone()).or_default() += 1;
        launches.iter().for_each(|call| is_allowed(call, &profile));
        assert!(!launches.is_empty());
        if profile.image.is_some() {
            let key = format!("{name} {} {}", job.project, job.is_protected);
            let own = || CONFIG.profile(profile.name.as_deref()).expect("a profile");
            let mut definitions = definitions.borrow_mut();
            let expected = definitions
                .entry(key)
                .or_insert_with(|| rendered(&own(), &job.project, job.is_protected));
            assert_eq!(rendered(&profile, &job.project, job.is_protected), *expected);
        }
        Ok(())
    });
    outcome.expect("every job within its limits");
    // Each profile was reached, or the test would prove nothing of it.
    for name in ["", "deploy", "shop", "sandbox", "open", "fixed"] {
        assert!(got.get(name).is_some_and(|count| *count > 100), "{name:?}: {got:?}");
    }
}

#[test]
fn a_job_with_modest_wishes_gets_them() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let host = runtime.expect("an event loop").block_on(HostileHost::open());
    let variables = [
        ("FARGATE_CPU", "4 vCPU"),
        ("FARGATE_MEMORY", "16384"),
        ("FARGATE_EPHEMERAL_STORAGE", "50"),
        ("FARGATE_SPOT", "true"),
    ];
    let job = HostileJob {
        project: "shop/app".to_owned(),
        is_protected: false,
        has_response: true,
        image: String::new(),
        services: Vec::new(),
        branch: "main".to_owned(),
        variables: variables
            .map(|(name, value)| (name.to_owned(), OsStr::new(value).to_owned()))
            .to_vec(),
    };
    let (_, launches) = host.launches(&job).expect("it is not refused");
    let overrides = launches[0].overrides().expect("overrides");
    assert_eq!((overrides.cpu(), overrides.memory()), (Some("4096"), Some("16384")));
    assert_eq!(overrides.ephemeral_storage().map(|disk| disk.size_in_gib()), Some(50));
    assert_eq!(launches[0].capacity_provider_strategy()[0].capacity_provider(), "FARGATE_SPOT");
}
