//! `RunTask`: the three shapes of its answer, client tokens, and the making of tasks.

use std::sync::Arc;
use std::time::SystemTime;

use fargate_model::task::TaskStatus;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::launch::{CheckedLaunch, plan};
use super::launch_checks::check;
use super::{ActionResult, RequestContext};
use crate::fault::CloudFault;
use crate::lifecycle::LifecycleStart;
use crate::state::address::public_of;
use crate::state::arns::RegionArns;
use crate::state::client_token::ClientTokenStatus;
use crate::state::random;
use crate::state::region::CloudRegion;
use crate::state::task::{
    CloudContainer, CloudTask, CloudTaskTimes, InterfaceStatus, TaskNetworkInterface,
};
use crate::state::task_history::TaskHistory;
use crate::wire::exception::ServiceException;
use crate::wire::member::{ShapeMember, shapes, without_nulls};
use crate::wire::shape::common::{
    CapacityProviderStrategyItem, NetworkConfiguration, Tag, TaskOverride,
};

/// What ECS says when Fargate has no room.
const NO_CAPACITY: &str = "Capacity is unavailable at this time. Please try again later or in a \
                           different availability zone";

shapes! {
    PlacementConstraint {
        kind: String = "type",
        expression: String = "expression",
    }
    PlacementStrategy {
        kind: String = "type",
        field: String = "field",
    }
    RunTask {
        capacity_provider_strategy: Vec<CapacityProviderStrategyItem> = "capacityProviderStrategy",
        cluster: String = "cluster",
        count: i32 = "count",
        enable_ecs_managed_tags: bool = "enableECSManagedTags",
        enable_execute_command: bool = "enableExecuteCommand",
        group: String = "group",
        launch_type: String = "launchType",
        network_configuration: NetworkConfiguration = "networkConfiguration",
        overrides: TaskOverride = "overrides",
        placement_constraints: Vec<PlacementConstraint> = "placementConstraints",
        placement_strategy: Vec<PlacementStrategy> = "placementStrategy",
        platform_version: String = "platformVersion",
        propagate_tags: String = "propagateTags",
        reference_id: String = "referenceId",
        started_by: String = "startedBy",
        tags: Vec<Tag> = "tags",
        task_definition: String = "taskDefinition",
        client_token: String = "clientToken",
        volume_configurations: Vec<Value> = "volumeConfigurations",
    }
}

impl RunTask {
    pub fn perform(self, scene: &RequestContext<'_>) -> ActionResult {
        check(&self)?;
        self.check_rights(scene)?;
        let mut state = scene.cloud.state();
        let live = state.live_tasks();
        let region = state.region(scene.region, scene.now);
        let cluster = region.cluster_mut(self.cluster.as_deref())?;
        let parameters = Self { client_token: None, ..self.clone() }.write();
        if let Some(token) = &self.client_token {
            let name = cluster.name.clone();
            match cluster.tokens.seen(token, &parameters, scene.now) {
                ClientTokenStatus::Never => {}
                ClientTokenStatus::Same(ids) => return Ok(answer(region, &ids)),
                ClientTokenStatus::Other(ids) => {
                    let arns = ids.iter().map(|id| region.names.task(&name, id));
                    return Err(ServiceException::conflict(arns.collect()));
                }
            }
        }
        let launch = plan(&self, region)?;
        let count = usize::try_from(self.count.unwrap_or(1)).expect("checked to be 1 to 10");
        if let Some(CloudFault::Failure { reason, detail }) = scene.fault {
            return Ok(failures(count, reason, detail.as_deref()));
        }
        // Without namespaces every task would use the same folders.
        let room =
            if scene.cloud.backend.is_shared() { 1_usize.saturating_sub(live) } else { count };
        let launched = count.min(room);
        if !scene.may_launch(launch.is_on_spot(), launched) {
            return Err(ServiceException::throttled());
        }
        let started: Vec<_> = (0..launched)
            .map(|_| {
                let sequence = state.next_sequence();
                self.start_one(scene, &mut state, &launch, sequence)
            })
            .collect();
        let region = state.region(scene.region, scene.now);
        if let Some(token) = self.client_token.filter(|_| !started.is_empty()) {
            let cluster = region.cluster_mut(self.cluster.as_deref())?;
            cluster.tokens.remember(token, parameters, started.clone(), scene.now);
        }
        let mut body = answer(region, &started);
        let refused = failures(count - started.len(), NO_CAPACITY, None);
        body["failures"] = refused["failures"].clone();
        Ok(body)
    }

    /// Tags need a right of their own. Source: Amazon ECS Developer Guide, "Grant permission to tag
    /// resources on creation".
    fn check_rights(&self, scene: &RequestContext<'_>) -> Result<(), ServiceException> {
        if self.tags.as_ref().is_none_or(Vec::is_empty) {
            return Ok(());
        }
        let names = RegionArns { region: scene.region.to_owned() };
        let cluster = names.cluster_name(self.cluster.as_deref())?;
        scene.allowed("ecs:TagResource", Some(&names.task(cluster, "*")))
    }

    /// Makes one task and sets it going; its id.
    fn start_one(
        &self,
        scene: &RequestContext<'_>,
        state: &mut crate::state::CloudResources,
        launch: &CheckedLaunch,
        sequence: u64,
    ) -> String {
        let (region, blocks) = state.region_and_blocks(scene.region, scene.now);
        let places = u64::try_from(launch.places.len()).expect("at most 16");
        let turn = usize::try_from(sequence % places).expect("less than 16");
        let mut task = self.task(region, launch, turn, sequence, scene.now);
        let place = &task.place;
        task.interface.address = blocks.take(scene.region, &place.subnet, place.family);
        if launch.public_address {
            task.interface.public_address = task.interface.address.and_then(public_of);
        }
        let orders = task.orders.subscribe();
        let start = LifecycleStart {
            region: scene.region.to_owned(),
            id: task.id.clone(),
            fault: scene.fault.and_then(CloudFault::of_task),
            orders,
        };
        let id = task.id.clone();
        region.tasks.insert(id.clone(), task);
        region.trim_tasks(scene.now);
        scene.cloud.live(start);
        id
    }

    fn task(
        &self,
        region: &CloudRegion,
        launch: &CheckedLaunch,
        turn: usize,
        sequence: u64,
        now: SystemTime,
    ) -> CloudTask {
        let id = random::hex_digits(32);
        let cluster = region.cluster(self.cluster.as_deref()).expect("looked up in the plan");
        let definition = Arc::clone(&launch.definition);
        let container = |name: &Option<String>| CloudContainer {
            arn: region.names.container(&cluster.name, &id, &random::uuid()),
            name: name.clone().unwrap_or_default(),
            runtime_id: None,
            last_status: TaskStatus::Pending,
            exit_code: None,
            reason: None,
            pid: None,
            log: None,
        };
        CloudTask {
            arn: region.names.task(&cluster.name, &id),
            sequence,
            region: region.names.region.clone(),
            cluster: cluster.name.clone(),
            cluster_arn: cluster.arn.clone(),
            containers: definition.containers().iter().map(|c| container(&c.name)).collect(),
            overrides: self.overrides.clone().unwrap_or_default(),
            cpu: launch.size.cpu_units.to_string(),
            memory: launch.size.memory_mib.to_string(),
            capacity_provider: launch.capacity_provider.clone(),
            platform_version: launch.platform_version.clone(),
            group: self.group.clone().unwrap_or_else(|| format!("family:{}", definition.family)),
            definition,
            started_by: self.started_by.clone(),
            client_token: self.client_token.clone(),
            execute_command: self.enable_execute_command.unwrap_or(false),
            tags: launch.tags.clone(),
            place: launch.places[turn].clone(),
            interface: interface(),
            last_status: TaskStatus::Provisioning,
            version: 1,
            times: CloudTaskTimes::created(now),
            ending: None,
            forgotten: false,
            past: TaskHistory::default(),
            orders: watch::Sender::new(None),
            id,
        }
    }
}

fn interface() -> TaskNetworkInterface {
    let octets = random::hex_digits(10);
    let pairs: Vec<_> = (0..5).map(|i| &octets[2 * i..2 * i + 2]).collect();
    TaskNetworkInterface {
        attachment_id: random::uuid(),
        status: InterfaceStatus::Precreated,
        interface_id: format!("eni-{}", random::hex_digits(17)),
        // A locally administered address.
        mac_address: format!("0a:{}", pairs.join(":")),
        address: None,
        public_address: None,
        public_connections: Arc::default(),
        seen_by_containers: false,
    }
}

fn answer(region: &CloudRegion, ids: &[String]) -> Value {
    let tasks: Vec<_> =
        ids.iter().filter_map(|id| region.tasks.get(id)).map(|task| task.view(true)).collect();
    json!({ "tasks": tasks, "failures": [] })
}

fn failures(count: usize, reason: &str, detail: Option<&str>) -> Value {
    let one = without_nulls(json!({ "reason": reason, "detail": detail }));
    json!({ "tasks": [], "failures": vec![one; count] })
}
