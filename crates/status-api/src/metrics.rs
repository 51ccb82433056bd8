//! What is counted, in the text format of Prometheus. Labels have few values: profiles of the configuration,
//! slugs of the catalogue, names of phases and operations. No project, branch or job is a label.

use std::sync::atomic::AtomicU64;

use fargate_job_journal::{JobStory, JobVerdict};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::assemble::start_lengths;

/// The media type of the text format.
pub const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Upper ends of the lengths of starts, in seconds. Source: a usual start takes 40 s.
const START_SECONDS: [f64; 12] =
    [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 180.0, 600.0];

type Labels = Vec<(&'static str, String)>;

/// Everything that is counted.
#[derive(Debug)]
pub struct StatusMetrics {
    registry: Registry,
    jobs: Family<Labels, Counter>,
    starts: Family<Labels, Histogram, fn() -> Histogram>,
    tasks: Family<Labels, Gauge>,
    launch_failures: Family<Labels, Counter>,
    ecs_requests: Family<Labels, Counter>,
    orphans: Counter,
    interruptions: Counter,
    cost: Family<Labels, Counter<f64, AtomicU64>>,
    image_age: Family<Labels, Gauge>,
    reconciled: Gauge,
    streams: Gauge,
    reports: Gauge,
    notices: Family<Labels, Counter>,
}

impl StatusMetrics {
    /// Counters of this version at zero.
    #[must_use]
    pub fn new(version: &str) -> Self {
        let mut registry = Registry::with_prefix("fargate_runner");
        let metrics = Self {
            jobs: Family::default(),
            starts: Family::new_with_constructor(|| Histogram::new(START_SECONDS)),
            tasks: Family::default(),
            launch_failures: Family::default(),
            ecs_requests: Family::default(),
            orphans: Counter::default(),
            interruptions: Counter::default(),
            cost: Family::default(),
            image_age: Family::default(),
            reconciled: Gauge::default(),
            streams: Gauge::default(),
            reports: Gauge::default(),
            notices: Family::default(),
            registry: Registry::default(),
        };
        let build: Family<Labels, Gauge> = Family::default();
        build.get_or_create(&vec![("version", version.to_owned())]).set(1);
        registry.register("build_info", "The version of this program", build);
        let it = &metrics;
        registry.register("jobs", "Jobs of this host that are over", it.jobs.clone());
        let help = "Length of each phase of a job's start";
        registry.register_with_unit("job_start", help, Unit::Seconds, it.starts.clone());
        registry.register(
            "tasks",
            "Jobs of this host that are not over, by state",
            it.tasks.clone(),
        );
        let help = "Launches that ECS refused";
        registry.register("launch_failures", help, it.launch_failures.clone());
        let help = "Requests of this process to ECS";
        registry.register("ecs_requests", help, it.ecs_requests.clone());
        registry.register("orphans_stopped", "Tasks that no job needed", it.orphans.clone());
        let help = "Spot tasks that AWS took back";
        registry.register("spot_interruptions", help, it.interruptions.clone());
        let help = "Estimated cost of jobs that are over, in US dollars";
        registry.register("estimated_cost_usd", help, it.cost.clone());
        let help = "Age of the image of a channel";
        registry.register_with_unit("image_age", help, Unit::Seconds, it.image_age.clone());
        let help = "When tasks and records were compared last, in seconds since 1970";
        registry.register("last_reconcile_timestamp_seconds", help, it.reconciled.clone());
        registry.register("event_streams", "Open event streams", it.streams.clone());
        let help = "Reports of browsers about pages that broke the content security policy";
        registry.register("csp_reports", help, it.reports.clone());
        let help = "Messages of the notifier, by target and by what became of them";
        registry.register("notices", help, it.notices.clone());
        Self { registry, ..metrics }
    }

    /// A job is over.
    pub fn job_ended(&self, story: &JobStory) {
        let profile = profile_of(story);
        let result = story.verdict.map_or("unknown", JobVerdict::word).to_owned();
        let last = story.tries.last();
        let cause = last.and_then(|last| last.causes.first()).map(|report| report.entry().slug);
        let is_bad = story.verdict.is_some_and(|verdict| verdict != JobVerdict::Passed);
        let reason = cause.filter(|_| is_bad).unwrap_or("none").to_owned();
        let labels = vec![("profile", profile.clone()), ("result", result), ("reason", reason)];
        self.jobs.get_or_create(&labels).inc();
        for (phase, ms) in last.map(|last| start_lengths(story, last)).unwrap_or_default() {
            let labels = vec![("phase", phase.to_owned()), ("profile", profile.clone())];
            self.starts.get_or_create(&labels).observe(seconds(ms));
        }
        let cost: u64 = story.tries.iter().filter_map(|one| one.cost_micro_usd).sum();
        self.cost.get_or_create(&vec![("profile", profile)]).inc_by(seconds(cost) / 1000.0);
        let taken_back =
            |report: &fargate_model::cause::CauseReport| report.entry().class == "spot";
        if story.tries.iter().any(|one| one.causes.iter().any(taken_back)) {
            self.interruptions.inc();
        }
    }

    /// ECS refused a launch; `slug` is the cause.
    pub fn launch_refused(&self, slug: &str) {
        self.launch_failures.get_or_create(&vec![("reason", slug.to_owned())]).inc();
    }

    /// This process sent so many requests to ECS. `code` is `ok` or the name of the error.
    pub fn ecs_requests(&self, operation: &str, code: &str, count: u64) {
        let labels = vec![("operation", operation.to_owned()), ("code", code.to_owned())];
        self.ecs_requests.get_or_create(&labels).inc_by(count);
    }

    /// A task that no job needed was stopped.
    pub fn orphan_stopped(&self) {
        self.orphans.inc();
    }

    /// A message was taken by its target (`sent`) or not (`failed`).
    pub(crate) fn notice(&self, target: &str, result: &str) {
        let labels = vec![("target", target.to_owned()), ("result", result.to_owned())];
        self.notices.get_or_create(&labels).inc();
    }

    /// Tasks and records were compared at this moment, in milliseconds since 1970.
    pub fn reconciled(&self, at_ms: u64) {
        self.reconciled.set(whole(at_ms / 1000));
    }

    /// How old the image of a channel is.
    pub fn image_age(&self, image: &str, channel: &str, age_ms: u64) {
        let labels = vec![("image", image.to_owned()), ("channel", channel.to_owned())];
        self.image_age.get_or_create(&labels).set(whole(age_ms / 1000));
    }

    /// How many jobs are in each state now.
    pub(crate) fn tasks(&self, states: &[(&str, u64)]) {
        for (state, count) in states {
            self.tasks.get_or_create(&vec![("state", (*state).to_owned())]).set(whole(*count));
        }
    }

    /// All of it as text.
    pub(crate) fn text(&self, streams: usize, reports: u64) -> String {
        self.streams.set(whole(streams as u64));
        self.reports.set(whole(reports));
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn profile_of(story: &JobStory) -> String {
    story.description.profile.clone().unwrap_or_else(|| "defaults".to_owned())
}

#[expect(clippy::cast_precision_loss, reason = "a length of a few days at most")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_those_that_alerts_know() {
        let metrics = StatusMetrics::new("0.1.0");
        metrics.job_ended(&JobStory::default());
        metrics.launch_refused("no-capacity");
        metrics.ecs_requests("DescribeTasks", "ok", 1);
        metrics.orphan_stopped();
        metrics.notice("webhook", "sent");
        metrics.reconciled(1_795_989_600_000);
        metrics.image_age("ci", "stable", 86_400_000);
        metrics.tasks(&[("running", 3)]);
        let text = metrics.text(2, 0);
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        insta::assert_snapshot!(samples.join("\n"));
    }
}
