//! What ECS keeps: Regions with their clusters, task definitions and tasks. Plain values behind one
//! lock; no clock, no processes, no HTTP.

pub mod arns;
pub mod client_token;
pub mod cluster;
pub mod container;
pub mod definition;
mod furnish;
pub mod network_interface;
pub mod region;
pub mod registration;
pub mod tags;
pub mod task;
pub mod task_ending;
pub mod task_history;
mod task_readers;
pub mod task_times;
mod task_view;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use region::CloudRegion;
use task::CloudTask;
use task_ending::CloudTaskEnding;

use crate::cloud::CloudInstance;
use crate::options::CloudOptions;
use crate::task_timing::DelayGenerator;

/// The seed of the delays, the same for every cloud, so that two runs take the same times.
const SEED: u64 = 0x0FA2_6A7E;

/// The state of ECS in one cloud.
pub(crate) struct EcsState {
    resources: Mutex<CloudResources>,
    pub delays: DelayGenerator,
}

impl EcsState {
    pub fn new(options: &CloudOptions) -> Self {
        let furniture = (!options.empty).then(|| options.first_image().to_owned());
        let resources = Mutex::new(CloudResources::new(furniture));
        Self { resources, delays: DelayGenerator::new(options.pace, SEED) }
    }
}

impl CloudInstance {
    /// The resources of ECS, locked. The lock is never held across an await.
    pub fn ecs(&self) -> MutexGuard<'_, CloudResources> {
        let state = self.states.of::<EcsState>();
        state.resources.lock().expect("no one panics while holding the resources")
    }
}

/// The resources of all Regions.
pub struct CloudResources {
    regions: BTreeMap<String, CloudRegion>,
    started: u64,
    /// The image of the task definition with which Regions come; `None` if they come without
    /// resources.
    first_image: Option<String>,
}

impl CloudResources {
    /// Regions come with a task definition of this image, or without resources.
    pub fn new(first_image: Option<String>) -> Self {
        Self { regions: BTreeMap::new(), started: 0, first_image }
    }

    /// The Region. It is created, with its first resources, when it is first asked for.
    pub fn region(&mut self, name: &str, now: SystemTime) -> &mut CloudRegion {
        let first_image = self.first_image.as_deref();
        self.regions.entry(name.to_owned()).or_insert_with(|| {
            let mut region = CloudRegion::new(name);
            if let Some(image) = first_image {
                furnish::furnish(&mut region, image, now);
            }
            region
        })
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

    /// Orders every live task to end in this way.
    pub fn order_all(&mut self, ending: &CloudTaskEnding, now: SystemTime) {
        for task in self.regions.values_mut().flat_map(|region| region.tasks.values_mut()) {
            task.order(ending.clone(), now);
        }
    }

    /// Tasks in a subnet that are not STOPPED.
    pub fn live_tasks_in(&self, region: &str, subnet: &str) -> usize {
        let tasks = self.regions.get(region).into_iter().flat_map(|region| region.tasks.values());
        tasks.filter(|task| task.is_live() && task.place.subnet == subnet).count()
    }

    /// Tasks that are not STOPPED.
    pub fn live_tasks(&self) -> usize {
        let tasks = self.regions.values().flat_map(|region| region.tasks.values());
        tasks.filter(|task| task.is_live()).count()
    }
}
