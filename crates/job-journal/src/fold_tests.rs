use fargate_events::{JobDescription, LaunchFact};
use fargate_model::cause::FailureCause;
use fargate_model::id::{RandomToken, TaskArn};

use super::*;

/// Entries of one job, second by second from 1000 s on.
#[derive(Default)]
struct StoryScript {
    entries: Vec<JournalEntry>,
    now_s: u64,
}

impl StoryScript {
    fn tell(&mut self, stage: &str, pid: u32, content: JournalContent) -> &mut Self {
        let time_ms = (1000 + self.now_s) * 1000;
        self.now_s += 1;
        self.entries.push(JournalEntry { time_ms, attempt: 0, stage: stage.into(), pid, content });
        self
    }

    fn event(&mut self, stage: &str, pid: u32, event: JobEvent) -> &mut Self {
        self.tell(stage, pid, JournalContent::Event(event))
    }

    fn fact(&mut self, stage: &str, pid: u32, fact: JobFact) -> &mut Self {
        self.tell(stage, pid, JournalContent::Fact(fact))
    }

    fn received(&mut self, pid: u32) -> &mut Self {
        self.event("prepare", pid, JobEvent::JobReceived { project: 7, timeout_s: Some(60) })
    }

    fn launched(&mut self, pid: u32, task: &str) -> &mut Self {
        self.event("prepare", pid, JobEvent::JobAdmitted { waited_ms: 0 })
            .fact("prepare", pid, JobFact::LaunchSent(launch()))
            .event("prepare", pid, JobEvent::TaskAccepted { task: arn(task), launch: token() })
    }

    fn ready(&mut self, pid: u32, task: &str) -> &mut Self {
        self.launched(pid, task).event(
            "prepare",
            pid,
            JobEvent::PrepareDone { task: arn(task), took_ms: 3000 },
        )
    }

    fn stage(&mut self, name: &str, pid: u32, verdict: StageVerdict) -> &mut Self {
        self.fact(name, pid, JobFact::StageStarted { stage: name.into() });
        let exit = (verdict == StageVerdict::Failed).then_some(3);
        let (stage, output_bytes) = (name.to_owned(), 100);
        let ended = JobFact::StageEnded { stage, exit, output_bytes, resumed: 0, verdict };
        self.fact(name, pid, ended)
    }

    fn cleaned_up(&mut self, pid: u32) -> &mut Self {
        self.event("cleanup", pid, JobEvent::CleanupStarted {}).event(
            "cleanup",
            pid,
            JobEvent::CleanupDone { undone: 0 },
        )
    }

    fn story(&self) -> JobStory {
        let mut story = JobStory::new("k");
        self.entries.iter().for_each(|entry| story.apply(entry));
        story
    }
}

fn arn(name: &str) -> TaskArn {
    TaskArn(format!("arn:aws:ecs:eu-west-1:1:task/ci/{name}"))
}

fn token() -> RandomToken {
    RandomToken::from_bits([1; 16])
}

fn launch() -> LaunchFact {
    LaunchFact {
        launch: token(),
        subnet: "subnet-1".into(),
        capacity: Some("FARGATE".into()),
        definition: "ci:1".into(),
        security_groups: vec!["sg-1".into()],
    }
}

#[test]
fn a_job_goes_through_its_states_and_passes() {
    let mut script = StoryScript::default();
    assert_eq!(script.received(10).story().state, JobState::Waiting);
    assert_eq!(script.ready(10, "a").story().state, JobState::Starting);
    for name in ["prepare_script", "get_sources", "build_script"] {
        script.stage(name, 11, StageVerdict::Passed);
    }
    assert_eq!(script.story().state, JobState::Running);
    let story = script.cleaned_up(12).story();
    assert_eq!((story.state, story.verdict), (JobState::Finished, Some(JobVerdict::Passed)));
    assert_eq!(story.tries.len(), 1);
    let of = &story.tries[0];
    assert_eq!((of.number, of.stages.len(), of.is_final), (1, 3, false));
    assert_eq!((story.received_ms, story.ended_ms), (1_000_000, Some(1_012_000)));
    assert_eq!(
        (of.subnet.as_deref(), of.asked_capacity.as_deref()),
        (Some("subnet-1"), Some("FARGATE"))
    );
}

#[test]
fn each_prepare_is_a_try_and_the_last_one_decides() {
    let mut script = StoryScript::default();
    let why = CauseReport::new(FailureCause::AgentExited);
    script.received(10).launched(10, "a");
    let explained = JobFact::Explained { report: Box::new(why), is_final: false };
    script.fact("prepare", 10, explained);
    let failed =
        JobEvent::PrepareFailed { cause: Some(FailureCause::AgentExited), message: "x".into() };
    script.event("prepare", 10, failed).cleaned_up(11);
    let story = script.story();
    assert_eq!((story.state, story.verdict), (JobState::Finished, Some(JobVerdict::SystemFailure)));
    script.received(12);
    let story = script.story();
    assert_eq!((story.state, story.verdict, story.ended_ms), (JobState::Waiting, None, None));
    script.ready(12, "b").stage("build_script", 13, StageVerdict::Passed).cleaned_up(14);
    let story = script.story();
    assert_eq!(story.verdict, Some(JobVerdict::Passed));
    let tries: Vec<_> = story.tries.iter().map(|one| (one.number, one.causes.len())).collect();
    assert_eq!(tries, [(1, 1), (2, 0)]);
}

#[test]
fn how_it_ended_follows_from_its_stages() {
    let verdict = |stages: &[(&str, StageVerdict)]| {
        let mut script = StoryScript::default();
        script.received(10).ready(10, "a");
        for (name, verdict) in stages {
            script.stage(name, 11, *verdict);
        }
        script.cleaned_up(12).story().verdict.unwrap()
    };
    use StageVerdict::{Cancelled, Failed, Passed, SystemFailure};
    let build = "build_script";
    assert_eq!(verdict(&[(build, Failed), ("after_script", Passed)]), JobVerdict::Failed);
    assert_eq!(verdict(&[(build, Passed), ("after_script", Failed)]), JobVerdict::Passed);
    assert_eq!(verdict(&[("get_sources", SystemFailure)]), JobVerdict::SystemFailure);
    assert_eq!(verdict(&[(build, Cancelled), ("after_script", Passed)]), JobVerdict::Cancelled);
    assert_eq!(verdict(&[("get_sources", Passed)]), JobVerdict::Cancelled);
    let many = vec![("get_sources", Passed); 30];
    assert_eq!(verdict(&[&many[..], &[(build, Cancelled)]].concat()), JobVerdict::TimedOut);
}

#[test]
fn a_stage_that_was_killed_is_a_system_failure() {
    let mut script = StoryScript::default();
    script.received(10).ready(10, "a");
    script.fact("build_script", 11, JobFact::StageStarted { stage: "build_script".into() });
    let story = script.cleaned_up(12).story();
    assert_eq!(story.verdict, Some(JobVerdict::SystemFailure));
    assert_eq!(story.tries[0].stages[0].ended_ms, None);
}

#[test]
fn a_job_that_nobody_cleaned_up_ends_when_its_task_is_stopped_as_an_orphan() {
    let mut script = StoryScript::default();
    script.received(10).ready(10, "a").stage("get_sources", 11, StageVerdict::Passed);
    script.fact("build_script", 12, JobFact::StageStarted { stage: "build_script".into() });
    let (job, reason) = ("gl-1".to_owned(), "driver-gone".to_owned());
    let (task, message) = (Some(arn("a")), String::new());
    script.event("reap", 99, JobEvent::OrphanStopped { task, job, reason, message });
    let story = script.story();
    assert_eq!((story.state, story.verdict), (JobState::Finished, Some(JobVerdict::SystemFailure)));
    assert_eq!((story.tries.len(), story.ended_ms), (1, Some(1_008_000)));
}

#[test]
fn a_relaunched_task_has_times_of_its_own_and_a_late_look_forgets_nothing() {
    let mut script = StoryScript::default();
    script.received(10).launched(10, "a");
    let seen = |task: &str, created, stopped| {
        JobFact::TaskSeen(Box::new(TaskFact {
            task: arn(task).0,
            status: "PENDING".into(),
            created_ms: created,
            stopped_ms: stopped,
            ..TaskFact::default()
        }))
    };
    script.fact("prepare", 10, seen("a", Some(1), Some(2))).launched(10, "b");
    assert_eq!(script.story().tries[0].times, TaskFact::default());
    script.fact("prepare", 10, seen("b", Some(5), None)).fact("reap", 99, seen("b", None, Some(9)));
    let story = script.story();
    assert_eq!(story.tries.len(), 1);
    let times = &story.tries[0].times;
    assert_eq!((times.created_ms, times.stopped_ms), (Some(5), Some(9)));
}

#[test]
fn refusals_are_counted_and_only_the_first_and_the_last_are_kept() {
    let mut script = StoryScript::default();
    script.received(10).fact("prepare", 10, JobFact::LaunchSent(launch()));
    for n in 0..250 {
        let report = CauseReport::new(FailureCause::NoCapacity).with("n", n.to_string());
        let report = Some(Box::new(report));
        script.fact("prepare", 10, JobFact::LaunchAnswered { launch: token(), task: None, report });
    }
    let of = &script.story().tries[0];
    assert_eq!((of.refused_launches, of.refusals.len()), (250, 100));
    let facts: Vec<_> = of.refusals.iter().map(|(_, report)| report.facts["n"].as_str()).collect();
    assert_eq!((facts[0], facts[1], facts[99]), ("0", "151", "249"));
}

#[test]
fn the_first_cause_stays_and_grows_and_later_ones_follow() {
    let mut script = StoryScript::default();
    let told = |cause, evidence: &[&str]| {
        let report = CauseReport::new(cause);
        let report = evidence.iter().fold(report, |report, text| report.because(*text));
        JobFact::Explained { report: Box::new(report), is_final: true }
    };
    script.received(10).fact("prepare", 10, told(FailureCause::Spot, &["a"]));
    script.fact("prepare", 10, told(FailureCause::ConnectionLost, &[]));
    script.fact("reap", 99, told(FailureCause::Spot, &["a", "b"]));
    let of = &script.story().tries[0];
    let causes: Vec<_> = of.causes.iter().map(|one| (one.cause, one.evidence.len())).collect();
    assert_eq!(causes, [(FailureCause::Spot, 2), (FailureCause::ConnectionLost, 0)]);
    assert!(of.is_final);
}

#[test]
fn a_description_gives_the_number_of_the_try() {
    let mut script = StoryScript::default();
    script.received(10);
    let described = JobDescription { id: "gl-1".into(), attempt: 2, ..JobDescription::default() };
    script.fact("prepare", 10, JobFact::Described(Box::new(described)));
    let story = script.story();
    assert_eq!((story.description.id.as_str(), story.tries[0].number), ("gl-1", 2));
    assert_eq!(story.description.timeout_s, Some(60));
}

#[test]
fn damage_is_told_with_the_last_moment_before_it() {
    let mut script = StoryScript::default();
    script.received(10).launched(10, "a");
    let part = JournalPart {
        entries: script.entries.clone(),
        damaged_at: Some(1),
        damaged_lines: 1,
        ..JournalPart::default()
    };
    let mut story = JobStory::new("k");
    story.take_in(&part);
    assert_eq!(story.damaged_after_ms, Some(1_000_000));
    assert_eq!(story.state, JobState::Starting);
}
