//! Rows of jobs that wait, start or run.

use fargate_history::UsualPhases;
use fargate_job_journal::{JobState, JobStory, TryStory};
use fargate_model::cause::CauseReport;
use fargate_model::id::TaskArn;
use fargate_status_answers::{
    LimitRow, RunningRow, StartingRow, TimelinePhase, WaitingRow, WhyAnswer, current_phase,
    is_of_start, phases_of, strip_of,
};

use super::words::ticking;

/// After so long a wait says that ECS gives no reason. Source: the words of the page.
const SILENT_AFTER_MS: u64 = 15_000;

/// The job's id for people.
pub(super) fn id_of(story: &JobStory) -> String {
    match story.description.id.as_str() {
        "" => story.key.chars().take(8).collect(),
        id => id.to_owned(),
    }
}

pub(crate) fn size_of(story: &JobStory) -> Option<String> {
    Some(story.description.size?.to_string())
}

/// What the usual times of a job are looked up by: its image and its size as the history names it.
pub(crate) fn usual_key(story: &JobStory) -> (Option<String>, Option<String>) {
    let about = &story.description;
    (about.image.clone(), about.size.map(|size| size.filter_name()))
}

fn task_of(story: &JobStory) -> Option<String> {
    let task = story.tries.last()?.task.clone()?;
    Some(TaskArn(task).task_id().to_owned())
}

/// Why a job waits, as far as anybody told.
pub(super) fn report_of_wait(story: &JobStory) -> Option<&CauseReport> {
    let last = story.tries.last()?;
    let held = last.waits.as_ref().map(|(_, report)| report);
    held.or_else(|| last.refusals.last().map(|(_, report)| report))
}

/// A job without a task.
pub(super) fn waiting_row(story: &JobStory, now_ms: u64) -> WaitingRow {
    let about = &story.description;
    let last = story.tries.last();
    let since_ms = last.map_or(story.received_ms, |last| last.received_ms);
    let why = report_of_wait(story).map(WhyAnswer::of);
    let age = now_ms.saturating_sub(since_ms);
    let waits_for = why.is_none().then(|| match last {
        Some(last) if last.first_launch_ms.is_some() && age >= SILENT_AFTER_MS => {
            format!("ECS gives no reason yet ({})", ticking(age))
        }
        Some(last) if last.first_launch_ms.is_some() => "ECS starts its task".to_owned(),
        Some(last) if last.admitted_ms.is_some() => "preparing its launch".to_owned(),
        _ => "received".to_owned(),
    });
    WaitingRow {
        id: id_of(story),
        name: about.name.clone(),
        project: about.project.clone(),
        size: size_of(story),
        since_ms,
        why,
        waits_for,
        tries: last.map_or(0, |last| last.refused_launches),
    }
}

/// The phases of a start that succeeded with their lengths in ms, and `total`.
pub(crate) fn start_lengths(story: &JobStory, one: &TryStory) -> Vec<(&'static str, u64)> {
    let Some(ready_ms) = one.ready_ms else { return Vec::new() };
    let queued_s = story.description.queued_s.filter(|_| one.number == 1);
    let phases = phases_of(one, queued_s).into_iter().filter(|(phase, ..)| is_of_start(*phase));
    let mut lengths: Vec<_> =
        phases.map(|(phase, from, to)| (phase_label(phase), to.saturating_sub(from))).collect();
    lengths.push(("total", ready_ms.saturating_sub(one.received_ms)));
    lengths
}

/// The phase as JSON and metrics spell it.
fn phase_label(phase: TimelinePhase) -> &'static str {
    match phase {
        TimelinePhase::Queued => "queued",
        TimelinePhase::Held => "held",
        TimelinePhase::RunTask => "run_task",
        TimelinePhase::Network => "network",
        TimelinePhase::Pull => "pull",
        TimelinePhase::Start => "start",
        TimelinePhase::Agent => "agent",
        TimelinePhase::Proof => "proof",
        TimelinePhase::OwnStage => "own_stage",
        TimelinePhase::Script => "script",
        TimelinePhase::Stop => "stop",
    }
}

/// What goes on in a phase.
fn phase_activity(phase: TimelinePhase) -> &'static str {
    match phase {
        TimelinePhase::Queued | TimelinePhase::Held => "waiting for its turn",
        TimelinePhase::RunTask => "asking ECS for a task",
        TimelinePhase::Network => "attaching the network",
        TimelinePhase::Pull => "pulling the image",
        TimelinePhase::Start => "starting the container",
        TimelinePhase::Agent => "reaching the agent",
        TimelinePhase::Proof => "proving the host",
        TimelinePhase::OwnStage | TimelinePhase::Script => "running",
        TimelinePhase::Stop => "stopping",
    }
}

/// The limits of a host and its account, with what live jobs use of them.
pub(crate) fn live_limits(
    live: &[JobStory],
    [on_demand, spot, slots]: [Option<u32>; 3],
    host: &str,
) -> Vec<LimitRow> {
    let is_spot = |story: &JobStory| {
        let last = story.tries.last();
        let given =
            last.and_then(|last| last.times.capacity.as_ref().or(last.asked_capacity.as_ref()));
        given.is_some_and(|given| given.contains("SPOT"))
    };
    let alive = |story: &&JobStory| story.state != JobState::Waiting;
    let vcpu = |wanted: bool| -> f64 {
        let jobs = live.iter().filter(alive).filter(|story| is_spot(story) == wanted);
        jobs.filter_map(|story| story.description.size)
            .map(|size| f64::from(size.cpu_units) / 1024.0)
            .sum()
    };
    let mut rows = Vec::new();
    let mut row = |name: &str, used: f64, allowed: Option<u32>, key: &str| {
        rows.push(LimitRow {
            name: name.to_owned(),
            used: Some(used),
            allowed: allowed.map(f64::from),
            unknown: allowed.is_none().then(|| format!("not known: set `serve.{key}`")),
            is_floor: false,
        });
    };
    row("vCPU on demand", vcpu(false), on_demand, "vcpu_quota");
    row("vCPU Spot", vcpu(true), spot, "spot_vcpu_quota");
    let of_host = live.iter().filter(|story| story.description.host == host).count();
    row("Slots", f64::from(u32::try_from(of_host).unwrap_or(u32::MAX)), slots, "job_slots");
    rows
}

/// A job whose task starts.
pub(super) fn starting_row(
    story: &JobStory,
    usual: Option<&UsualPhases>,
    now_ms: u64,
) -> StartingRow {
    let about = &story.description;
    let last = story.tries.last();
    let current = last.and_then(current_phase);
    let since_ms = last.map_or(story.received_ms, |last| last.received_ms);
    let usual_ms = current.zip(usual).and_then(|((current, _), usual)| {
        usual.phases.iter().find(|(phase, _)| *phase == current).map(|(_, ms)| *ms)
    });
    StartingRow {
        id: id_of(story),
        name: about.name.clone(),
        project: about.project.clone(),
        size: size_of(story),
        task: task_of(story),
        since_ms,
        // A task that is ready and runs nothing yet is the runner's turn.
        phase: current
            .map_or("ready, no script yet", |(phase, _)| phase_activity(phase))
            .to_owned(),
        phase_since_ms: current
            .map(|(_, since)| since)
            .or_else(|| last?.ready_ms)
            .unwrap_or(since_ms),
        usual_ms,
        strip: last.map(|last| strip_of(story, last, now_ms)).unwrap_or_default(),
    }
}

/// A job whose scripts run, or whose task stops.
pub(super) fn running_row(story: &JobStory) -> RunningRow {
    let about = &story.description;
    let last = story.tries.last();
    let stage = last.and_then(|last| last.stages.last()).filter(|stage| stage.ended_ms.is_none());
    let costs = story.tries.iter().map(|one| one.cost_micro_usd);
    RunningRow {
        id: id_of(story),
        name: about.name.clone(),
        project: about.project.clone(),
        task: task_of(story),
        size: size_of(story),
        since_ms: last.and_then(|last| last.ready_ms).unwrap_or(story.received_ms),
        stage: stage.map(|stage| stage.name.clone()),
        stage_since_ms: stage.map(|stage| stage.started_ms),
        started_in_ms: last
            .and_then(|last| last.ready_ms)
            .map(|ready| ready.saturating_sub(story.received_ms)),
        cost_micro_usd: costs.sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_job_journal::TaskTimes;

    #[test]
    fn a_start_names_the_phase_that_it_is_in() {
        let times = TaskTimes { pull_started_ms: Some(11_000), ..TaskTimes::default() };
        let one = TryStory {
            number: 1,
            received_ms: 1000,
            first_launch_ms: Some(1400),
            accepted_ms: Some(2000),
            times,
            ..TryStory::default()
        };
        let story = JobStory { received_ms: 1000, tries: vec![one], ..JobStory::default() };
        let row = starting_row(&story, None, 15_000);
        assert_eq!((row.phase.as_str(), row.phase_since_ms), ("pulling the image", 11_000));
        assert!(row.strip.iter().map(|(_, ms)| ms).sum::<u64>() <= 14_000);
    }

    #[test]
    fn a_wait_without_a_cause_says_so_after_15_s() {
        let one =
            TryStory { received_ms: 1000, first_launch_ms: Some(1100), ..TryStory::default() };
        let story = JobStory { received_ms: 1000, tries: vec![one], ..JobStory::default() };
        let words = |now| waiting_row(&story, now).waits_for.unwrap();
        assert_eq!(words(15_999), "ECS starts its task");
        assert_eq!(words(97_000), "ECS gives no reason yet (1m 36s)");
    }
}
