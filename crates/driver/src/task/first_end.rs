//! Which container of a task ended first, and so ended the others.
//!
//! ECS tells no times of containers, so it goes by signs: a container has ended while another has
//! not, or an exit code cannot come from an order to end. If there is no sign, it says so. Then the
//! end is nobody's in particular, and never the script's.

use std::collections::BTreeMap;

use fargate_aws::CallError;
use fargate_events::{JobEvent, emit};
use fargate_mask::SharedMasker;
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::task::{StopCode, TaskStatus};
use fargate_protocol::ENDED_FROM_INSIDE;
use fargate_state::StateFolder;

use super::client::EcsClient;
use super::exit_codes::{AGENT_IDLE, AGENT_LIFETIME, KILLED, TERMINATED, is_out_of_memory};
use super::observation::{ObservedContainer, ObservedTask};

/// The right to ask which containers are essential.
const RIGHT: &str = "ecs:DescribeTaskDefinition";
/// Exit codes of a container that ECS told to end: it ended well, by SIGTERM, or by SIGKILL.
const ORDERED: [i32; 3] = [0, TERMINATED, KILLED];

/// Whether a container that was told to end may leave this exit code. Others may leave it as well.
pub fn is_ordered(code: i32) -> bool {
    ORDERED.contains(&code)
}

/// Which container ended first.
#[derive(Debug, PartialEq, Eq)]
enum FirstEndedContainer<'a> {
    /// The job's container.
    Own,
    /// This container.
    Other(&'a ObservedContainer),
    /// The job's container, or one of several others, of which this is one.
    Unknown(&'a ObservedContainer),
}

impl ObservedContainer {
    /// Whether ECS says that it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.exit_code.is_some() || self.last_status == Some(TaskStatus::Stopped)
    }

    /// Whether its end already says who caused it: the agent's own exit code, or ECS's word about
    /// memory.
    fn speaks_for_itself(&self) -> bool {
        let codes = [AGENT_IDLE, AGENT_LIFETIME, i32::from(ENDED_FROM_INSIDE)];
        self.exit_code.is_some_and(|code| codes.contains(&code))
            || self.reason.as_deref().is_some_and(is_out_of_memory)
    }
}

impl ObservedTask {
    /// Containers other than `own` that have ended, and whose end ends the task. Empty if nobody
    /// knows which one is the job's.
    fn others_that_ended<'a>(&'a self, own: &str) -> Vec<&'a ObservedContainer> {
        let is_known = self.container(own).is_some();
        let ended = |other: &&ObservedContainer| is_known && other.name != own && other.has_ended();
        let essential = |other: &&ObservedContainer| other.essential != Some(false);
        self.containers.iter().filter(ended).filter(essential).collect()
    }

    /// Whether nothing that ECS may add can change why the task ends, whatever state it shows.
    /// `own` is the job's container.
    #[must_use]
    pub fn is_decided(&self, own: &str) -> bool {
        let own_end = self.container(own).filter(|container| container.has_ended());
        match &self.stop_code {
            _ if matches!(self.status, TaskStatus::Stopped | TaskStatus::Deleted) => true,
            // ECS may add the exit code later.
            Some(StopCode::EssentialContainerExited) => {
                own_end.is_some_and(|own| own.exit_code.is_some())
                    || own_end.is_none() && !self.others_that_ended(own).is_empty()
            }
            Some(_) => true,
            None => own_end.is_some_and(ObservedContainer::speaks_for_itself),
        }
    }

    /// Whether ECS says that the container of this name has ended.
    #[must_use]
    pub fn has_lost(&self, own: &str) -> bool {
        self.container(own).is_some_and(ObservedContainer::has_ended)
    }

    /// Whether the containers other than `own` were ended by a signal, as an order to end does, and
    /// `own` ended well. A program that is told to end seldom exits with 0, and one that has
    /// nothing left to do always does. This is no proof, so no script may be blamed for it.
    #[must_use]
    pub fn ended_well_before_others(&self, own: &str) -> bool {
        let ended_well = self.container(own).is_some_and(|own| own.exit_code == Some(0));
        let by_signal =
            |other: &&ObservedContainer| matches!(other.exit_code, Some(TERMINATED | KILLED));
        ended_well && self.others_that_ended(own).iter().all(by_signal)
    }

    fn first_end<'a>(&'a self, own: &str, was_warned: bool) -> FirstEndedContainer<'a> {
        let others = self.others_that_ended(own);
        let unordered = |other: &&&ObservedContainer| !other.exit_code.is_none_or(is_ordered);
        // If there are several, the one whose exit code no order explains.
        let Some(&other) = others.iter().find(unordered).or(others.first()) else {
            return FirstEndedContainer::Own;
        };
        match self.container(own) {
            Some(own) if own.speaks_for_itself() => FirstEndedContainer::Own,
            Some(own) if !own.has_ended() => FirstEndedContainer::Other(other),
            Some(own) => match own.exit_code {
                Some(TERMINATED) => FirstEndedContainer::Other(other),
                Some(KILLED) if !was_warned => FirstEndedContainer::Own,
                Some(code) if !is_ordered(code) => FirstEndedContainer::Own,
                _ => FirstEndedContainer::Unknown(other),
            },
            None => FirstEndedContainer::Own,
        }
    }
}

/// The cause of the end of `seen`, whose essential container exited: `why`, unless another
/// container than `own` ended first, or may have.
///
/// `was_warned` is `false` only for an agent that did not say that it was told to end. It would
/// have said so, or would have ended by itself long before somebody kills it.
pub fn unless_other(
    why: CauseReport,
    seen: &ObservedTask,
    own: &str,
    was_warned: bool,
    masker: &SharedMasker,
) -> CauseReport {
    let told = |container: &ObservedContainer| match container.exit_code {
        Some(code) => format!("exit {code}"),
        None => "no exit code".to_owned(),
    };
    let own_end = seen.container(own).filter(|own| own.has_ended()).map(told);
    let (other, sentence) = match (seen.first_end(own, was_warned), own_end) {
        (FirstEndedContainer::Own, _) => return why,
        (FirstEndedContainer::Other(other), None) => {
            (other, format!("It ended while container {own} still ran."))
        }
        (FirstEndedContainer::Other(other), Some(end)) => {
            (other, format!("Container {own} was told to end ({end})."))
        }
        (FirstEndedContainer::Unknown(other), end) => {
            let own_end = end.unwrap_or_else(|| "not reported".to_owned());
            let ends = format!("{own} {own_end}, {} {}", other.name, told(other));
            (other, format!("Which container ended first cannot be known: {ends}."))
        }
    };
    let why = CauseReport { cause: FailureCause::ContainerEnded, ..why };
    let why = why.with("other", &other.name).with("ended", told(other)).because(sentence);
    match &other.reason {
        Some(reason) => why.quoting(&format!("Container {}", other.name), masker.text(reason)),
        None => why,
    }
}

/// Whether each container of a definition is essential, as ECS says it.
pub struct EssentialFlags(Option<BTreeMap<String, bool>>);

impl EssentialFlags {
    /// Nothing was asked yet.
    pub fn unasked() -> Self {
        Self(None)
    }

    /// Notes in `seen` which containers are essential. This matters only for a task with several
    /// containers of which one exited. It asks until it gets an answer. If it is refused, all count
    /// as essential.
    pub async fn fill_in(
        &mut self,
        seen: &mut ObservedTask,
        ecs: &EcsClient,
        folder: &StateFolder,
        cluster: &str,
    ) {
        let ended = seen.containers.iter().any(ObservedContainer::has_ended);
        let Some(definition) = seen.definition.clone().filter(|_| seen.containers.len() > 1) else {
            return;
        };
        if !ended {
            return;
        }
        if self.0.is_none() {
            let refused = folder.was_refused(RIGHT, ecs.region(), cluster);
            let asked =
                if refused { Ok(BTreeMap::new()) } else { ecs.essential(&definition).await };
            match asked {
                Ok(flags) => self.0 = Some(flags),
                Err(error) => {
                    if error.denies(RIGHT) {
                        folder.remember_refusal(RIGHT, ecs.region(), cluster);
                    }
                    if !error.is_transient() {
                        self.0 = Some(BTreeMap::new());
                    }
                    emit(JobEvent::DefinitionUnread {
                        request_id: error.request_id().map(Into::into),
                        message: error.to_string(),
                    });
                }
            }
        }
        let Some(flags) = &self.0 else { return };
        for container in &mut seen.containers {
            container.essential = flags.get(&container.name).copied();
        }
    }
}

impl EcsClient {
    /// Whether each container of this definition is essential.
    async fn essential(&self, definition: &str) -> Result<BTreeMap<String, bool>, CallError> {
        let call = self.client().describe_task_definition().task_definition(definition);
        let answer = self.account().call(|| self.account().sent(call.clone().send())).await?;
        let containers = answer.task_definition().map_or(&[][..], |d| d.container_definitions());
        let flag = |own: &aws_sdk_ecs::types::ContainerDefinition| {
            Some((own.name()?.to_owned(), own.essential() != Some(false)))
        };
        Ok(containers.iter().filter_map(flag).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::observation::example;
    use super::*;

    fn container(name: &str, exit_code: Option<i32>) -> ObservedContainer {
        let last_status =
            Some(if exit_code.is_some() { TaskStatus::Stopped } else { TaskStatus::Running });
        ObservedContainer {
            name: name.to_owned(),
            exit_code,
            last_status,
            ..ObservedContainer::default()
        }
    }

    fn seen(containers: Vec<ObservedContainer>) -> ObservedTask {
        ObservedTask {
            stop_code: Some(StopCode::EssentialContainerExited),
            containers,
            ..example(TaskStatus::Stopped)
        }
    }

    fn told(containers: Vec<ObservedContainer>) -> String {
        let why = CauseReport::new(FailureCause::EnvironmentEnded);
        let why = unless_other(why, &seen(containers), "job", true, &SharedMasker::default());
        let evidence: Vec<_> = why.evidence.iter().map(ToString::to_string).collect();
        format!("{}: {}", why.headline(), evidence.join(" "))
    }

    #[test]
    fn signs_tell_which_container_ended_first_in_either_order_of_the_list() {
        const JOB: &str = "the job ended its own environment: ";
        let both = "container proxy of the task ended (exit 1): ";
        let told_to_end = format!("{both}Container job was told to end (exit 143).");
        let open = format!("{both}Which container ended first cannot be known: job exit ");
        let cases = [
            (Some(143), Some(1), told_to_end),
            (None, Some(1), format!("{both}It ended while container job still ran.")),
            (Some(137), Some(1), format!("{open}137, proxy exit 1.")),
            (Some(0), Some(1), format!("{open}0, proxy exit 1.")),
            (Some(143), None, JOB.to_owned()),
            (Some(137), None, JOB.to_owned()),
            (Some(72), Some(1), JOB.to_owned()),
            (Some(70), Some(143), JOB.to_owned()),
            (Some(1), Some(143), JOB.to_owned()),
        ];
        for (own, other, expected) in cases {
            let mut containers = vec![container("job", own), container("proxy", other)];
            assert_eq!(told(containers.clone()), expected, "{own:?} {other:?}");
            containers.reverse();
            assert_eq!(told(containers), expected, "{own:?} {other:?}");
        }
    }

    #[test]
    fn an_agent_that_was_killed_without_a_word_was_told_nothing() {
        let both = || seen(vec![container("job", Some(137)), container("proxy", Some(0))]);
        let cause = |warned| {
            {
                let why = CauseReport::new(FailureCause::EnvironmentEnded);
                unless_other(why, &both(), "job", warned, &SharedMasker::default())
            }
            .cause
        };
        assert_eq!(cause(false), FailureCause::EnvironmentEnded);
        assert_eq!(cause(true), FailureCause::ContainerEnded);
    }

    #[test]
    fn a_container_that_is_not_essential_ended_nothing() {
        let init = ObservedContainer { essential: Some(false), ..container("init", Some(0)) };
        let told = told(vec![container("job", Some(143)), init]);
        assert_eq!(told, "the job ended its own environment: ");
    }

    #[test]
    fn where_nobody_knows_which_container_is_the_job_s_none_is_blamed() {
        let told = told(vec![container("other", Some(1)), container("proxy", Some(0))]);
        assert_eq!(told, "the job ended its own environment: ");
    }

    #[test]
    fn of_several_the_one_is_named_that_no_order_explains() {
        let log = container("log", Some(0));
        let told = told(vec![container("job", Some(143)), log, container("proxy", Some(9))]);
        assert!(told.starts_with("container proxy of the task ended (exit 9): "), "{told}");
    }

    #[test]
    fn what_decides_decides_at_any_state_that_ecs_shows() {
        use StopCode::{EssentialContainerExited as Exited, SpotInterruption as Spot};
        let both = |own, other| vec![container("job", own), container("proxy", other)];
        let cases = [
            (Some(Spot), both(None, None), true),
            (Some(Exited), both(None, None), false),
            (Some(Exited), both(Some(137), None), true),
            (Some(Exited), both(None, Some(0)), true),
            (None, both(None, Some(0)), false),
            (None, both(Some(143), None), false),
            (None, both(Some(72), None), true),
            (None, both(Some(70), None), true),
            (None, both(None, None), false),
        ];
        for status in [
            TaskStatus::Pending,
            TaskStatus::Running,
            TaskStatus::Deactivating,
            TaskStatus::Stopping,
        ] {
            for (stop_code, containers, expected) in cases.clone() {
                for stopping in [false, true] {
                    let containers = containers.clone();
                    let stop_code = stop_code.clone();
                    let base = example(status.clone());
                    let seen = ObservedTask { stop_code, containers, stopping, ..base };
                    assert_eq!(seen.is_decided("job"), expected, "{seen:?}");
                }
            }
        }
    }
}
