//! What each try of a job used of AWS, and what that costs by a table of prices: always an estimate.
//!
//! AWS bills from the first byte of the image until the task is gone. Where ECS did not report an end, the
//! clean-up of the job counts as the end.

use fargate_model::price::{BilledUse, MissingPrice, TaskPrices};

use crate::story::{JobState, JobStory, TryStory};

/// A task's billed time and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskUse {
    /// When the image pull began: milliseconds since 1970, by ECS's clock.
    pub from_ms: u64,
    /// When the task was gone; now, for one that lives.
    pub to_ms: u64,
    /// What is billed.
    pub billed: BilledUse,
}

impl TaskUse {
    /// The use of one try, as far as it goes at `now_ms`. `None` if its size is not known. A task whose pull
    /// never began is not billed.
    #[must_use]
    pub fn of(story: &JobStory, of: &TryStory, now_ms: u64) -> Option<Self> {
        let Some(from_ms) = of.times.pull_started_ms.filter(|_| of.task.is_some()) else {
            let at = of.received_ms;
            return Some(Self { from_ms: at, to_ms: at, billed: BilledUse::default() });
        };
        let size = of.times.size.or(story.description.size)?;
        let is_last = story.tries.last().is_some_and(|last| last.number == of.number);
        let lives = is_last && story.state != JobState::Finished;
        let ended = of.times.stopped_ms.or(of.cleaned_up_ms.filter(|_| !lives));
        let to_ms = match (ended, lives) {
            (Some(ended), _) => ended,
            (None, true) => now_ms,
            (None, false) => of.failed_ms.or(of.stopping_ms).unwrap_or(story.changed_ms),
        };
        let to_ms = to_ms.max(from_ms);
        let architecture = of.times.architecture.as_ref();
        let architecture = architecture.or(story.description.architecture.as_ref());
        let capacity = of.times.capacity.as_ref().or(of.asked_capacity.as_ref());
        Some(Self {
            from_ms,
            to_ms,
            billed: BilledUse {
                time_ms: to_ms - from_ms,
                cpu_units: size.cpu_units,
                memory_mib: size.memory_mib,
                disk_gib: of.times.disk_gib.or(story.description.disk_gib).unwrap_or_default(),
                is_arm: architecture.is_some_and(|name| name.to_ascii_lowercase().contains("arm")),
                is_spot: capacity.is_some_and(|name| name == "FARGATE_SPOT"),
                image_bytes: story.description.image_bytes,
            },
        })
    }
}

/// Writes what each try costs into the story, as far as it goes at `now_ms`. A try whose size is not known,
/// or that needs a price which is missing, has no cost.
pub fn estimate_costs(story: &mut JobStory, prices: &TaskPrices, now_ms: u64) {
    let used: Vec<_> = story.tries.iter().map(|one| TaskUse::of(story, one, now_ms)).collect();
    for (of, used) in story.tries.iter_mut().zip(used) {
        let priced = |used: TaskUse| {
            let cost = prices.cost_micro_usd(&used.billed)?;
            Ok::<_, MissingPrice>((cost, prices.nat_micro_usd(&used.billed)?))
        };
        (of.cost_micro_usd, of.nat_micro_usd, of.missing_price) = match used.map(priced) {
            Some(Ok((cost, through_nat))) => (Some(cost), through_nat, None),
            Some(Err(missing)) => (None, 0, Some(missing.key.to_owned())),
            None => (None, 0, None),
        };
    }
}

#[cfg(test)]
mod tests {
    use fargate_model::size::FargateSize;

    use super::*;
    use crate::story::TaskTimes;

    fn story(architecture: &str, capacity: Option<&str>) -> JobStory {
        let times = TaskTimes {
            pull_started_ms: Some(10_000),
            stopped_ms: Some(130_500),
            ..TaskTimes::default()
        };
        let of = TryStory {
            number: 1,
            task: Some("task/1".into()),
            times,
            asked_capacity: capacity.map(str::to_owned),
            ..TryStory::default()
        };
        let mut story =
            JobStory { tries: vec![of], state: JobState::Finished, ..JobStory::default() };
        story.description.size = Some(FargateSize { cpu_units: 1024, memory_mib: 2048 });
        story.description.architecture = Some(architecture.into());
        story
    }

    #[test]
    fn a_try_costs_its_time_from_the_pull_to_the_stop() {
        let mut story = story("x86_64", None);
        estimate_costs(&mut story, &TaskPrices::default(), 0);
        // 121 s of 1 vCPU and 2 GB.
        assert_eq!(story.tries[0].cost_micro_usd, Some(1_659));
        assert_eq!(story.tries[0].missing_price, None);
    }

    #[test]
    fn an_image_that_comes_through_a_nat_gateway_is_a_part_of_the_cost() {
        let mut story = story("x86_64", None);
        story.description.image_bytes = Some(2_000_000_000);
        let (image_through_nat, nat_per_gb) = (true, Some(0.045));
        let prices = TaskPrices { image_through_nat, nat_per_gb, ..TaskPrices::default() };
        estimate_costs(&mut story, &prices, 0);
        let tried = &story.tries[0];
        assert_eq!((tried.cost_micro_usd, tried.nat_micro_usd), (Some(91_659), 90_000));
    }

    #[test]
    fn a_price_that_is_missing_leaves_the_cost_open_and_is_named() {
        let mut story = story("arm64", Some("FARGATE_SPOT"));
        estimate_costs(&mut story, &TaskPrices::default(), 0);
        assert_eq!(story.tries[0].missing_price.as_deref(), Some("arm_spot_vcpu_hour"));
        assert_eq!(story.tries[0].cost_micro_usd, None);
    }

    #[test]
    fn a_task_that_lives_costs_up_to_now_and_one_without_a_pull_costs_nothing() {
        let mut story = story("x86_64", None);
        story.state = JobState::Running;
        story.tries[0].times.stopped_ms = None;
        let cost = |story: &mut JobStory, now| {
            estimate_costs(story, &TaskPrices::default(), now);
            story.tries[0].cost_micro_usd
        };
        assert_eq!(cost(&mut story, 20_000), Some(823));
        assert_eq!(cost(&mut story, 610_000), Some(8_229));
        story.tries[0].times.pull_started_ms = None;
        assert_eq!(cost(&mut story, 610_000), Some(0));
    }
}
