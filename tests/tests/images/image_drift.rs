//! `image drift` and `image gc`: what differs is found, what is in order is not, and nothing that is needed
//! is deleted.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use aws_sdk_ecs::types::{
    AwsVpcConfiguration, Compatibility, ContainerDefinition, LaunchType, NetworkConfiguration,
    NetworkMode,
};
use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, PolicyHolder};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::deleting_registry::DeletingRegistry;

const REPOSITORY: &str = "team/ci";

/// A host with `[image.ci]`, two listed versions, and the newer one in both channels.
struct DriftHost {
    host: CheckedHost,
    registry: DeletingRegistry,
    versions: [String; 2],
}

fn candidate(day: u8) -> String {
    format!("ci-c202601{day:02}t000000z-1a2b3c4d-5e6f7a8b")
}

/// Today, as the manifest writes it.
fn today() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a later time");
    let days = i64::try_from(since.as_secs() / 86_400).expect("few days");
    // Days to a date. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T00:00:00Z")
}

impl DriftHost {
    /// `None` where no registry is installed.
    async fn open() -> Option<Self> {
        let registry = DeletingRegistry::start().await?;
        let host = CheckedHost::open().await;
        let push = |day: u8| registry.push(REPOSITORY, &candidate(day), &format!("listed {day}"));
        let versions = [push(1), push(2)];
        let this = Self { host, registry, versions };
        for channel in ["latest", "stable"] {
            this.registry.retag(REPOSITORY, &candidate(2), channel);
        }
        this.host.set("image.ci.repository", this.registry.name(REPOSITORY));
        this.host.set("image.ci.context", "/nonexistent");
        this.host.set("image.ci.manifest", this.path("images.json").to_str().expect("UTF-8"));
        this.host.set("image.ci.unneeded_after", "14days");
        let version = |day: u8| {
            json!({ "digest": this.versions[usize::from(day) - 1], "tag": candidate(day),
                "created": today(), "status": "tested",
                "scan": { "rules": "1", "findings": 0 },
                "smoke": { "at": today(), "banner_ms": 1, "ok": true } })
        };
        let channel = json!({ "digest": this.versions[1], "since": today() });
        this.write(&json!({ "schema": 1, "images": { "ci": {
            "repository": this.registry.name(REPOSITORY),
            "channels": { "latest": channel, "stable": channel },
            "versions": [version(1), version(2)],
        } } }));
        Some(this)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.host.folder().join(name)
    }

    fn write(&self, manifest: &Value) {
        fs::write(self.path("images.json"), manifest.to_string()).expect("a writable folder");
    }

    /// Changes the manifest as a person does.
    fn edit(&self, change: impl FnOnce(&mut Value)) {
        let text = fs::read(self.path("images.json")).expect("a manifest");
        let mut manifest: Value = serde_json::from_slice(&text).expect("JSON");
        change(&mut manifest["images"]["ci"]);
        self.write(&manifest);
    }

    /// Calls `image` with these arguments. Gives the exit code, stdout and stderr.
    async fn image(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(fargate_tests::runner());
        command.arg("--config").arg(self.host.config()).env_clear();
        command.envs(self.host.environment_of(PolicyHolder::ImageBuilder, &self.host.config()));
        command.env("AWS_ENDPOINT_URL", self.host.cloud().endpoint());
        command.arg("image").args(arguments).kill_on_drop(true);
        let output = command.output().await.expect("a program that can be started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// The classes that `drift` finds, sorted; its exit code must fit.
    async fn drift(&self) -> Vec<String> {
        let (code, out, err) = self.image(&["drift", "--json"]).await;
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        let findings = report["images"][0]["findings"].as_array().expect("findings");
        assert_eq!(code, Some(if findings.is_empty() { 0 } else { 3 }), "{out}{err}");
        let class = |finding: &Value| finding["class"].as_str().expect("a class").to_owned();
        let mut classes: Vec<String> = findings.iter().map(class).collect();
        classes.sort();
        classes
    }

    /// Registers a task definition with an image of the repository. Gives its ARN.
    async fn define(&self, family: &str, version: &str) -> String {
        let image = format!("{}{version}", self.registry.name(REPOSITORY));
        let container = ContainerDefinition::builder().name("job").image(image).build();
        let call = self.host.ecs().register_task_definition().family(family);
        let call = call.network_mode(NetworkMode::Awsvpc).cpu("256").memory("512");
        let call = call.requires_compatibilities(Compatibility::Fargate);
        let made = call.container_definitions(container).send().await.expect("a definition");
        let made = made.task_definition().and_then(|made| made.task_definition_arn());
        made.expect("an ARN").to_owned()
    }

    async fn deregister(&self, arn: &str) {
        let call = self.host.ecs().deregister_task_definition().task_definition(arn);
        call.send().await.expect("a definition that is there");
    }

    /// Which of these versions the registry has.
    fn left<'a>(&self, versions: &[&'a str]) -> BTreeSet<&'a str> {
        let is_there = |version: &&&str| self.registry.get(REPOSITORY, version).is_some();
        versions.iter().filter(is_there).copied().collect()
    }
}

#[tokio::test]
async fn five_kinds_of_drift_are_found_and_none_where_all_is_in_order() {
    let Some(host) = DriftHost::open().await else { return };
    let metrics = host.path("drift.prom");
    let (code, out, err) = host
        .image(&["drift", "ci", "--format", "tsv", "--metrics", metrics.to_str().unwrap()])
        .await;
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    let text = fs::read_to_string(&metrics).expect("metrics");
    let none = "fargate_runner_image_drift_findings{image=\"ci\",class=\"missing\"} 0";
    assert!(text.lines().any(|line| line == none), "{text}");

    // Moved: somebody gives `stable` the older version.
    host.registry.retag(REPOSITORY, &candidate(1), "stable");
    assert_eq!(host.drift().await, ["moved"]);
    host.registry.retag(REPOSITORY, &candidate(2), "stable");
    // In use and not listed: by an active task definition.
    let digest = host.registry.push(REPOSITORY, "try-out", "by hand");
    let definition = host.define("by-hand", &format!("@{digest}")).await;
    assert_eq!(host.drift().await, ["in_use_unlisted", "unknown_tag"]);
    host.deregister(&definition).await;
    host.registry.delete(REPOSITORY, &digest);
    // Unneeded: a candidate of January that no manifest lists.
    let old = host.registry.push(REPOSITORY, &candidate(3), "old");
    assert_eq!(host.drift().await, ["unneeded"]);
    host.registry.delete(REPOSITORY, &old);
    // Stale: nobody published anything for long.
    host.edit(|image| image["versions"][1]["created"] = json!("2026-01-02T00:00:00Z"));
    assert_eq!(host.drift().await, ["stale"]);
    host.edit(|image| image["versions"][1]["created"] = json!(today()));
    assert!(host.drift().await.is_empty());
    // Missing: a rule of the registry deleted a version that a channel has.
    host.registry.delete(REPOSITORY, &host.versions[1]);
    assert_eq!(host.drift().await, ["missing"]);
    let (code, issue, err) = host.image(&["drift", "--issue"]).await;
    assert_eq!(code, Some(3), "{err}");
    assert!(
        issue.starts_with("## Drift of image `ci`\n") && issue.contains("| critical | missing |")
    );
    assert!(err.contains("error: drift: 1 missing (critical)"), "{err}");
    host.host.close().await;
}

#[tokio::test]
async fn a_clean_up_deletes_what_nobody_needs_with_its_papers_and_nothing_else() {
    let Some(host) = DriftHost::open().await else { return };
    let registry = &host.registry;
    let push = |day: u8| registry.push(REPOSITORY, &candidate(day), &format!("unlisted {day}"));
    let [defined, running, kept, first, second] = [3, 4, 5, 6, 7].map(push);
    registry.retag(REPOSITORY, &candidate(5), "try-out");
    let paper = registry.push_about(REPOSITORY, None, "bill", Some(&first));
    let index = registry.push_fallback(REPOSITORY, &first, &[&paper]);
    let other = registry.push_about(REPOSITORY, None, "bill", Some(&host.versions[1]));
    let of_listed = registry.push_fallback(REPOSITORY, &host.versions[1], &[&other]);
    host.define("defined", &format!("@{defined}")).await;
    let definition = host.define("running", &format!(":{}", candidate(4))).await;
    // Held, so that nothing has to be pulled.
    let held = CloudFault::TaskHeld { phase: CloudTaskPhase::Pending };
    host.host.cloud().fail("RunTask", held);
    let network = AwsVpcConfiguration::builder()
        .subnets("subnet-0a1b2c3d4e5f60718")
        .security_groups("sg-0c3d4e5f60718293b")
        .build();
    let network = NetworkConfiguration::builder().awsvpc_configuration(network.expect("subnets"));
    let call = host.host.ecs().run_task().cluster("ci").task_definition(&definition);
    let call = call.launch_type(LaunchType::Fargate).network_configuration(network.build());
    let started = call.send().await.expect("a task");
    let task = started.tasks()[0].task_arn().expect("an ARN").to_owned();
    host.deregister(&definition).await;

    let needed = [
        defined.as_str(),
        &running,
        &kept,
        &other,
        &of_listed,
        &host.versions[0],
        &host.versions[1],
    ];
    let unneeded = [first.as_str(), &second, &paper, &index];
    let all = [&needed[..], &unneeded].concat();
    let (code, out, err) = host.image(&["gc", "ci", "--format", "tsv"]).await;
    assert_eq!((code, out.lines().count()), (Some(0), 2), "{out}{err}");
    assert_eq!(host.left(&all).len(), all.len(), "a dry run deletes nothing");

    // One for each run, the oldest first.
    let (code, out, err) = host.image(&["gc", "ci", "--apply", "--most", "1", "--json"]).await;
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    assert_eq!((code, &report["left"]), (Some(0), &json!(1)), "{out}{err}");
    assert_eq!(report["images"][0]["referrers"].as_array().map(Vec::len), Some(2), "{out}");
    assert_eq!(host.left(&unneeded), BTreeSet::from([second.as_str()]));
    // A cluster that cannot be asked may need it.
    host.host.set("profile.gone.cluster", "gone");
    let (code, _, err) = host.image(&["gc", "ci", "--apply"]).await;
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("cluster gone") && err.contains("nothing was deleted"), "{err}");
    host.host.set("profile.gone.cluster", "ci");
    let (code, out, err) = host.image(&["gc", "ci", "--apply"]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(host.left(&all), BTreeSet::from(needed));
    host.host.ecs().stop_task().cluster("ci").task(task).send().await.expect("a task");
    host.host.close().await;
}

#[tokio::test]
async fn a_schedule_is_printed_and_not_installed() {
    let Some(host) = DriftHost::open().await else { return };
    let (code, out, _) = host.image(&["drift", "ci", "--schedule"]).await;
    assert_eq!(code, Some(0));
    assert!(out.contains("OnCalendar=daily") && out.contains(" image drift ci "), "{out}");
    host.host.close().await;
}
