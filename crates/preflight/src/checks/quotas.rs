//! Whether the quotas of the account are enough for all jobs at one time.

use fargate_config::{JobProfile, LaunchMode};

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::capacity_providers::named_providers;
use crate::checks::cluster::usable_cluster;
use crate::checks::task_definition::size_of;
use crate::reading::AwsReading;
use crate::views::DefinitionReading;
use fargate_aws::ServiceQuota;

/// CPU units of one vCPU.
const VCPU: f64 = 1024.0;

/// Judges the vCPU of tasks on demand.
pub(crate) fn judge_on_demand(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let reading = &input.view.quotas.on_demand_vcpu;
    judge_vcpu(input, ServiceQuota::FargateOnDemandVcpu, reading, "on demand", runs_on_demand)
}

/// Judges the vCPU of tasks on Spot.
pub(crate) fn judge_spot(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let reading = &input.view.quotas.spot_vcpu;
    judge_vcpu(input, ServiceQuota::FargateSpotVcpu, reading, "on Spot", runs_on_spot)
}

fn runs_on_demand(input: CheckInput<'_>, profile: &JobProfile) -> bool {
    match profile.launch() {
        LaunchMode::Strategy(_) => named_providers(profile).contains("FARGATE"),
        LaunchMode::Type(_) => true,
        LaunchMode::ClusterDefault => {
            named_providers(profile).contains("FARGATE") || is_default(input, profile, "FARGATE")
        }
    }
}

fn runs_on_spot(input: CheckInput<'_>, profile: &JobProfile) -> bool {
    let by_cluster = profile.launch() == LaunchMode::ClusterDefault
        && is_default(input, profile, "FARGATE_SPOT");
    by_cluster || named_providers(profile).contains("FARGATE_SPOT") || profile.job_spot
}

/// Whether the default strategy of the profile's cluster has this provider. A cluster that cannot be used, or whose
/// strategy is empty, fails in its own check.
fn is_default(input: CheckInput<'_>, profile: &JobProfile, provider: &str) -> bool {
    let cluster = usable_cluster(input, &profile.cluster);
    cluster.is_some_and(|found| found.default_strategy.iter().any(|it| it == provider))
}

/// What is said if the strategy of a cluster decides and is not known.
fn unknown_strategy(input: CheckInput<'_>, place: &str) -> Option<CheckFinding> {
    let unread = AwsReading::default();
    let by_cluster = |profile: &&JobProfile| profile.launch() == LaunchMode::ClusterDefault;
    input.needs.profiles.iter().filter(by_cluster).find_map(|profile| {
        let reading = input.view.cluster.clusters.get(&profile.cluster).unwrap_or(&unread);
        let subject = format!("whether {} starts tasks {place}", profile.cluster);
        reading.or_unknown(&subject).err()
    })
}

fn judge_vcpu(
    input: CheckInput<'_>,
    quota: ServiceQuota,
    reading: &AwsReading<f64>,
    place: &str,
    runs: fn(CheckInput<'_>, &JobProfile) -> bool,
) -> Vec<CheckFinding> {
    if let Some(unknown) = unknown_strategy(input, place) {
        return vec![unknown];
    }
    if !input.needs.profiles.iter().any(|profile| runs(input, profile)) {
        return Vec::new();
    }
    let value = match reading.or_unknown(&format!("the quota of vCPU {place}")) {
        Ok(value) => *value,
        Err(unknown) => return vec![unknown],
    };
    let Some(largest) = largest_vcpu(input, runs) else {
        // Where all definitions are known, one without a size fails in its own check.
        let is_known = |found: &DefinitionReading| found.known().is_some();
        if input.view.cluster.definitions.iter().all(is_known) {
            return Vec::new();
        }
        return vec![CheckFinding::unknown(format!(
            "the quota is {value} vCPU {place}; the size of tasks is not known"
        ))];
    };
    let fix = "ask AWS for more, or let fewer jobs run at one time";
    let command = |wanted: f64| raise(quota, wanted);
    if value < largest {
        let found = format!("the quota is {value} vCPU {place}, and one task has {largest}");
        let finding = CheckFinding::fail(found, format!("AWS refuses tasks {place}"));
        return vec![finding.fix("ask AWS for more").command(command(largest))];
    }
    vec![match input.needs.concurrency {
        None => {
            let tasks = (value / largest).floor();
            CheckFinding::pass(format!(
                "{value} vCPU {place}: room for {tasks} tasks of {largest} vCPU"
            ))
        }
        Some(jobs) => {
            let wanted = f64::from(jobs) * largest;
            match wanted <= value {
                true => CheckFinding::pass(format!(
                    "{value} vCPU {place}; {jobs} jobs need at most {wanted}"
                )),
                false => CheckFinding::warn(format!(
                    "{value} vCPU {place}, and {jobs} jobs of up to {largest} vCPU need {wanted}"
                ))
                .fix(fix)
                .command(command(wanted)),
            }
        }
    }]
}

/// The largest task of these profiles, in vCPU. A job may choose a larger one where its profile says so.
fn largest_vcpu(
    input: CheckInput<'_>,
    runs: fn(CheckInput<'_>, &JobProfile) -> bool,
) -> Option<f64> {
    let unread = DefinitionReading::default();
    let mut largest: Option<u32> = None;
    for (at, profile) in input.needs.profiles.iter().enumerate() {
        if !runs(input, profile) {
            continue;
        }
        let definition = input.view.cluster.definitions.get(at).unwrap_or(&unread);
        let facts = definition.known().and_then(|found| found.as_ref().ok());
        let of_definition = facts.and_then(|facts| size_of(profile, facts).ok());
        let size = of_definition
            .map(|size| size.cpu_units)
            .or(profile.cpu_units)
            .or(facts.and_then(|facts| facts.cpu))?;
        largest = largest.max(Some(size.max(profile.job_max_cpu.unwrap_or_default())));
    }
    largest.map(|units| f64::from(units) / VCPU)
}

/// Judges the number of network interfaces: each task has one.
pub(crate) fn judge_interfaces(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let value =
        match input.view.quotas.network_interfaces.or_unknown("the quota of network interfaces") {
            Ok(value) => *value,
            Err(unknown) => return vec![unknown],
        };
    vec![match input.needs.concurrency {
        Some(jobs) if f64::from(jobs) > value => CheckFinding::warn(format!(
            "{value} network interfaces in the Region, and {jobs} jobs need one each"
        ))
        .fix("ask AWS for more, or let fewer jobs run at one time")
        .command(raise(ServiceQuota::NetworkInterfaces, f64::from(jobs) * 2.0)),
        _ if value < 1.0 => {
            CheckFinding::fail("the quota of network interfaces is 0", "AWS starts no task")
                .fix("ask AWS for more")
                .command(raise(ServiceQuota::NetworkInterfaces, 100.0))
        }
        _ => CheckFinding::pass(format!(
            "{value} network interfaces in the Region, one for each task"
        )),
    }]
}

fn raise(quota: ServiceQuota, wanted: f64) -> String {
    format!(
        "aws service-quotas request-service-quota-increase --service-code {} --quota-code {} --desired-value {}",
        quota.service(),
        quota.code(),
        wanted.ceil()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::account_fixture::AccountFixture;
    use fargate_status_answers::CheckOutcome;

    fn outcomes(
        fixture: &AccountFixture,
        judge: fn(CheckInput<'_>) -> Vec<CheckFinding>,
    ) -> Vec<CheckOutcome> {
        let input = CheckInput { needs: &fixture.needs, view: &fixture.view };
        judge(input).into_iter().map(|finding| finding.outcome).collect()
    }

    #[test]
    fn where_the_cluster_decides_its_default_strategy_tells_which_quota_counts() {
        let mut fixture = AccountFixture::with("launch_type = \"CLUSTER\"\n");
        fixture.view.quotas.spot_vcpu = AwsReading::Known(0.0);
        assert_eq!(outcomes(&fixture, judge_on_demand), [CheckOutcome::Pass]);
        assert!(outcomes(&fixture, judge_spot).is_empty(), "the cluster has no Spot by itself");
        match fixture.view.cluster.clusters.get_mut("ci") {
            Some(AwsReading::Known(Some(found))) => {
                found.default_strategy = vec!["FARGATE_SPOT".to_owned()];
            }
            other => panic!("{other:?}"),
        }
        assert!(outcomes(&fixture, judge_on_demand).is_empty(), "no task runs on demand");
        assert_eq!(outcomes(&fixture, judge_spot), [CheckOutcome::Fail]);
        fixture.view.cluster.clusters.insert("ci".to_owned(), AwsReading::default());
        assert_eq!(outcomes(&fixture, judge_on_demand), [CheckOutcome::Unknown]);
        assert_eq!(outcomes(&fixture, judge_spot), [CheckOutcome::Unknown]);
    }
}
