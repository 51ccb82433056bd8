//! What exists: Regions with their clusters, task definitions, subnets and tasks. Plain values
//! behind one lock; no clock, no processes, no HTTP.

pub mod address;
pub mod arns;
pub mod client_token;
pub mod cluster;
pub mod definition;
pub mod network;
pub mod page;
pub mod random;
pub mod region;
pub mod tags;
pub mod task;
pub mod task_history;
pub mod task_view;

use std::collections::BTreeMap;

use address::AddressBlocks;
use region::CloudRegion;
use task::CloudTask;

use crate::seed;

/// Everything of one cloud.
pub struct CloudResources {
    regions: BTreeMap<String, CloudRegion>,
    /// Addresses are of this machine, so all Regions share them.
    pub blocks: AddressBlocks,
    started: u64,
    empty: bool,
}

impl CloudResources {
    /// With `empty`, Regions come without resources.
    pub fn new(empty: bool) -> Self {
        Self { regions: BTreeMap::new(), blocks: AddressBlocks::default(), started: 0, empty }
    }

    /// The Region, made and furnished at its first use.
    pub fn region(&mut self, name: &str, now: std::time::SystemTime) -> &mut CloudRegion {
        let empty = self.empty;
        self.regions.entry(name.to_owned()).or_insert_with(|| {
            let mut region = CloudRegion::new(name, empty);
            if !empty {
                seed::furnish(&mut region, now);
            }
            region
        })
    }

    /// The Region and the addresses, which are borrowed together to start a task.
    pub fn region_and_blocks(
        &mut self,
        name: &str,
        now: std::time::SystemTime,
    ) -> (&mut CloudRegion, &mut AddressBlocks) {
        self.region(name, now);
        let region = self.regions.get_mut(name).expect("made above");
        (region, &mut self.blocks)
    }

    /// A number that is higher for every task.
    pub fn next_sequence(&mut self) -> u64 {
        self.started += 1;
        self.started
    }

    /// The task, if it is in `region`.
    pub fn task(&mut self, region: &str, id: &str) -> Option<&mut CloudTask> {
        self.regions.get_mut(region)?.tasks.get_mut(id)
    }

    /// The task with this ARN, wherever it is.
    pub fn task_by_arn(&mut self, arn: &str) -> Option<&mut CloudTask> {
        self.regions
            .values_mut()
            .flat_map(|region| region.tasks.values_mut())
            .find(|t| t.arn == arn)
    }

    /// Every task, oldest first.
    pub fn tasks(&self) -> Vec<&CloudTask> {
        let mut tasks: Vec<_> = self.regions.values().flat_map(|r| r.tasks.values()).collect();
        tasks.sort_by_key(|task| task.sequence);
        tasks
    }

    /// Decides for every live task how it ends, and tells it.
    pub fn order_all(&mut self, ending: &task::CloudTaskEnding, now: std::time::SystemTime) {
        for task in self.regions.values_mut().flat_map(|region| region.tasks.values_mut()) {
            task.order(ending.clone(), now);
        }
    }

    /// Tasks that are not STOPPED.
    pub fn live_tasks(&self) -> usize {
        let tasks = self.regions.values().flat_map(|region| region.tasks.values());
        tasks.filter(|task| task.is_live()).count()
    }
}
