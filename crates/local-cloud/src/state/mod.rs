//! What exists: Regions with their clusters, task definitions, subnets and tasks. Plain values
//! behind one lock; no clock, no processes, no HTTP.

pub mod address;
pub mod client_token;
pub mod cluster;
pub mod definition;
pub mod names;
pub mod network;
pub mod page;
pub mod past;
pub mod random;
pub mod region;
pub mod tags;
pub mod task;
pub mod task_view;

use std::collections::BTreeMap;

use address::Blocks;
use region::Region;
use task::Task;

use crate::seed;

/// Everything of one cloud.
pub struct State {
    regions: BTreeMap<String, Region>,
    /// Addresses are of this machine, so all Regions share them.
    pub blocks: Blocks,
    started: u64,
    empty: bool,
}

impl State {
    /// With `empty`, Regions come without resources.
    pub fn new(empty: bool) -> Self {
        Self { regions: BTreeMap::new(), blocks: Blocks::default(), started: 0, empty }
    }

    /// The Region, made and furnished at its first use.
    pub fn region(&mut self, name: &str, now: std::time::SystemTime) -> &mut Region {
        let empty = self.empty;
        self.regions.entry(name.to_owned()).or_insert_with(|| {
            let mut region = Region::new(name, empty);
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
    ) -> (&mut Region, &mut Blocks) {
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
    pub fn task(&mut self, region: &str, id: &str) -> Option<&mut Task> {
        self.regions.get_mut(region)?.tasks.get_mut(id)
    }

    /// The task with this ARN, wherever it is.
    pub fn task_by_arn(&mut self, arn: &str) -> Option<&mut Task> {
        self.regions
            .values_mut()
            .flat_map(|region| region.tasks.values_mut())
            .find(|t| t.arn == arn)
    }

    /// Every task, oldest first.
    pub fn tasks(&self) -> Vec<&Task> {
        let mut tasks: Vec<_> = self.regions.values().flat_map(|r| r.tasks.values()).collect();
        tasks.sort_by_key(|task| task.sequence);
        tasks
    }

    /// Decides for every live task how it ends, and tells it.
    pub fn order_all(&mut self, ending: &task::Ending, now: std::time::SystemTime) {
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
