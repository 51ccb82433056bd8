//! Where the launches of one job go: which capacity provider, and which subnet. It decides the order
//! in which they are tried.
//!
//! It launches nothing, waits for nothing and reads no breaker; `launch` does.

use std::fmt;

use fargate_config::{JobProfile, LaunchMode};
use fargate_model::cause::FailureCause;
use fargate_model::job::JobKey;
use fargate_state::{CapacityProviderShare, TaskCapacity};

/// One place: a capacity and a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchPlace {
    /// How its task is paid for and placed.
    pub capacity: TaskCapacity,
    /// Its subnet.
    pub subnet: String,
}

impl fmt::Display for LaunchPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.capacity.name(), self.subnet)
    }
}

/// What follows after a launch that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextPlace {
    /// The same place: another one would not help.
    Same,
    /// Another one that was not tried since the last pause.
    Untried,
    /// The first one again: all were tried.
    RoundOver,
}

/// The places of one job, in the order of the configuration: each capacity with every subnet.
#[derive(Clone, Debug)]
pub(super) struct LaunchPlaces {
    capacities: Vec<TaskCapacity>,
    subnets: Vec<String>,
    /// The subnet that is tried first.
    first_subnet: usize,
    capacity: usize,
    /// How many subnets of this capacity were tried.
    tried: usize,
}

/// The capacities that a profile names, the first choice first. One that is the first choice by itself
/// is no second one.
pub(super) fn capacities(profile: &JobProfile) -> Vec<TaskCapacity> {
    let first = match profile.launch() {
        LaunchMode::Type(kind) => TaskCapacity::LaunchType(kind.to_string()),
        LaunchMode::ClusterDefault => TaskCapacity::ClusterDefault,
        LaunchMode::Strategy(items) => TaskCapacity::Strategy(
            items
                .iter()
                .map(|item| CapacityProviderShare {
                    name: item.provider.clone(),
                    weight: item.weight,
                    base: item.base,
                })
                .collect(),
        ),
    };
    let others = profile.capacity_fallback.iter().filter(|name| **name != first.name());
    let only = |name: &String| {
        TaskCapacity::Strategy(vec![CapacityProviderShare {
            name: name.clone(),
            weight: 1,
            base: 0,
        }])
    };
    let others: Vec<_> = others.map(only).collect();
    std::iter::once(first).chain(others).collect()
}

/// The place in the list of subnets at which a job begins. It follows from the job's key, so that jobs
/// spread over the zones, and a job's tries begin alike, without anything to remember.
fn first_subnet(job: &JobKey, subnets: usize) -> usize {
    // The key is a hash, so any of its digits are as even as all of it.
    let digits = job.as_str().get(8..16).unwrap_or_default();
    let number = u32::from_str_radix(digits, 16).unwrap_or_default();
    usize::try_from(number).unwrap_or_default() % subnets.max(1)
}

impl LaunchPlaces {
    /// Begins with the first capacity that is not `avoided`. If all are, with the first of all:
    /// whoever is left alone still gets the jobs that nobody else can take.
    pub fn new(
        capacities: &[TaskCapacity],
        subnets: &[String],
        job: &JobKey,
        avoided: impl Fn(&TaskCapacity) -> bool,
    ) -> Self {
        let mut places = Self {
            capacities: capacities.to_vec(),
            subnets: subnets.to_vec(),
            first_subnet: first_subnet(job, subnets.len()),
            capacity: 0,
            tried: 0,
        };
        places.capacity = places.next_capacity(0, &avoided).unwrap_or(0);
        places
    }

    /// The present place.
    pub fn now(&self) -> LaunchPlace {
        let subnet = (self.first_subnet + self.tried) % self.subnets.len();
        LaunchPlace {
            capacity: self.capacities[self.capacity].clone(),
            subnet: self.subnets[subnet].clone(),
        }
    }

    /// The names of all capacities, in their order.
    pub fn capacity_names(&self) -> Vec<String> {
        self.capacities.iter().map(TaskCapacity::name).collect()
    }

    /// The capacities that come before the present one.
    pub fn passed_over(&self) -> &[TaskCapacity] {
        &self.capacities[..self.capacity]
    }

    /// Whether a capacity follows after the present one.
    pub fn has_another(&self) -> bool {
        self.capacities.len() > 1
    }

    /// Whether the subnet is the last one of this capacity.
    pub fn is_last_subnet(&self) -> bool {
        self.tried + 1 >= self.subnets.len()
    }

    /// Goes on after a launch in the present place failed for `cause`.
    pub fn turn_from(
        &mut self,
        cause: FailureCause,
        avoided: impl Fn(&TaskCapacity) -> bool,
    ) -> NextPlace {
        match cause {
            _ if is_of_place(cause) && !self.is_last_subnet() => {
                self.tried += 1;
                NextPlace::Untried
            }
            _ if is_of_place(cause) => self.leave_capacity(&avoided),
            // What Spot took back in one zone, it may take back in the next one too.
            FailureCause::Spot if self.has_another() => self.leave_capacity(&avoided),
            _ => NextPlace::Same,
        }
    }

    fn leave_capacity(&mut self, avoided: &impl Fn(&TaskCapacity) -> bool) -> NextPlace {
        self.tried = 0;
        if let Some(next) = self.next_capacity(self.capacity + 1, avoided) {
            self.capacity = next;
            return NextPlace::Untried;
        }
        self.capacity = self.next_capacity(0, avoided).unwrap_or(0);
        NextPlace::RoundOver
    }

    /// The first capacity from this one on that is not avoided.
    fn next_capacity(
        &self,
        from: usize,
        avoided: &impl Fn(&TaskCapacity) -> bool,
    ) -> Option<usize> {
        (from..self.capacities.len()).find(|at| !avoided(&self.capacities[*at]))
    }
}

/// Whether another subnet may have what this one lacks. A quota is the account's, in every subnet.
fn is_of_place(cause: FailureCause) -> bool {
    matches!(cause, FailureCause::NoCapacity | FailureCause::SubnetFull | FailureCause::EniTimeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(name: &str) -> TaskCapacity {
        TaskCapacity::Strategy(vec![CapacityProviderShare {
            name: name.to_owned(),
            weight: 1,
            base: 0,
        }])
    }

    fn key(digits: &str) -> JobKey {
        JobKey::try_from(format!("00000000{digits:0<56}")).unwrap()
    }

    fn places(avoided: &[&str]) -> LaunchPlaces {
        let capacities = [only("FARGATE_SPOT"), only("FARGATE")];
        let subnets = ["a", "b"].map(str::to_owned);
        LaunchPlaces::new(&capacities, &subnets, &key(""), |capacity| {
            avoided.contains(&capacity.name().as_str())
        })
    }

    /// The places after each of these causes.
    fn tour(mut places: LaunchPlaces, causes: &[FailureCause], avoided: &[&str]) -> Vec<String> {
        let mut seen = vec![places.now().to_string()];
        for cause in causes {
            let next = places.turn_from(*cause, |one| avoided.contains(&one.name().as_str()));
            seen.push(format!("{} {next:?}", places.now()));
        }
        seen
    }

    #[test]
    fn every_subnet_comes_before_the_next_provider_and_then_all_begins_anew() {
        use FailureCause::{EniTimeout, NoCapacity, SubnetFull};
        let causes = [NoCapacity, SubnetFull, EniTimeout, NoCapacity];
        assert_eq!(
            tour(places(&[]), &causes, &[]),
            [
                "FARGATE_SPOT in a",
                "FARGATE_SPOT in b Untried",
                "FARGATE in a Untried",
                "FARGATE in b Untried",
                "FARGATE_SPOT in a RoundOver",
            ]
        );
    }

    #[test]
    fn a_task_that_spot_took_back_is_followed_by_the_next_provider_at_once() {
        let spot = [FailureCause::Spot];
        let expected = ["FARGATE_SPOT in a", "FARGATE in a Untried"];
        assert_eq!(tour(places(&[]), &spot, &[]), expected);
        let alone =
            LaunchPlaces::new(&[only("FARGATE_SPOT")], &["a".to_owned()], &key(""), |_| false);
        let expected = ["FARGATE_SPOT in a", "FARGATE_SPOT in a Same"];
        assert_eq!(tour(alone, &spot, &[]), expected);
    }

    #[test]
    fn other_causes_change_no_place() {
        for &cause in FailureCause::ALL {
            let moves = is_of_place(cause) || cause == FailureCause::Spot;
            let next = places(&[]).turn_from(cause, |_| false);
            assert_eq!(next != NextPlace::Same, moves, "{cause:?}");
        }
    }

    #[test]
    fn a_provider_that_is_left_alone_is_passed_over_unless_all_are() {
        use FailureCause::NoCapacity;
        let spot = &["FARGATE_SPOT"][..];
        assert_eq!(places(spot).passed_over(), [only("FARGATE_SPOT")]);
        let expected = ["FARGATE in a", "FARGATE in b Untried", "FARGATE in a RoundOver"];
        assert_eq!(tour(places(spot), &[NoCapacity; 2], spot), expected);
        let both = &["FARGATE_SPOT", "FARGATE"][..];
        assert_eq!(places(both).passed_over(), []);
        let expected =
            ["FARGATE_SPOT in a", "FARGATE_SPOT in b Untried", "FARGATE_SPOT in a RoundOver"];
        assert_eq!(tour(places(both), &[NoCapacity; 2], both), expected);
    }

    #[test]
    fn jobs_spread_over_the_subnets_and_each_job_begins_alike() {
        let mut counts = [0; 3];
        for n in 0..3000_u32 {
            // The golden ratio, so that the keys are as even as hashes are.
            let key = key(&format!("{:08x}", n.wrapping_mul(0x9e37_79b9)));
            let first = first_subnet(&key, 3);
            assert_eq!(first_subnet(&key, 3), first);
            counts[first] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        assert_eq!(first_subnet(&key("ffffffff"), 1), 0);
    }
}
