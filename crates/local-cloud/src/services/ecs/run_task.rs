//! `RunTask`: the check of the client token, the new tasks, and the three shapes of the answer (tasks,
//! failures, both).

use std::sync::Arc;
use std::time::SystemTime;

use fargate_model::task::TaskStatus;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::access_questions::{may_pass, may_tag_on_creation};
use super::launch::{CheckedLaunch, plan};
use super::launch_checks::check;
use crate::backend::container::ContainerHealth;
use crate::fault::CloudFault;
use crate::random_id;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ec2::network::RegionNetwork;
use crate::services::ecs::lifecycle::run::run;
use crate::services::ecs::lifecycle::task_lifecycle::LifecycleStart;
use crate::services::ecs::shape::run_task::RunTask;
use crate::services::ecs::state::CloudResources;
use crate::services::ecs::state::arns::RegionArns;
use crate::services::ecs::state::client_token::ClientTokenStatus;
use crate::services::ecs::state::container::CloudContainer;
use crate::services::ecs::state::network_interface::{InterfaceStatus, TaskNetworkInterface};
use crate::services::ecs::state::region::CloudRegion;
use crate::services::ecs::state::task::CloudTask;
use crate::services::ecs::state::task_history::TaskHistory;
use crate::services::ecs::state::task_times::CloudTaskTimes;
use crate::wire::exception::ServiceException;
use crate::wire::member::{ShapeMember, without_nulls};

/// What ECS says when Fargate has no room.
const NO_CAPACITY: &str = "Capacity is unavailable at this time. Please try again later or in a \
                           different availability zone";

impl JsonRequest for RunTask {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        check(&self)?;
        self.check_rights(context)?;
        // One lock from the look at the token to the new tasks, so that two requests with the same token
        // cannot both start tasks.
        let mut state = context.cloud.ecs();
        let live = state.live_tasks();
        let region = state.region(context.region, context.now);
        let cluster = region.cluster_mut(self.cluster.as_deref())?;
        let parameters = Self { client_token: None, ..self.clone() }.write();
        if let Some(token) = &self.client_token {
            let name = cluster.name.clone();
            match cluster.tokens.seen(token, &parameters, context.now) {
                ClientTokenStatus::Never => {}
                ClientTokenStatus::Same(ids) => return Ok(answer(region, &ids)),
                ClientTokenStatus::Other(ids) => {
                    let arns = ids.iter().map(|id| region.names.task(&name, id));
                    return Err(ServiceException::conflict(arns.collect()));
                }
            }
        }
        // Everything is checked before the first task is created, so that a refused call starts none.
        let launch = plan(&self, region, context.cloud.states.of::<RegionNetwork>())?;
        may_pass(context, self.roles(&launch))?;
        let count = usize::try_from(self.count.unwrap_or(1)).expect("checked to be 1 to 10");
        if let Some(CloudFault::Failure { reason, detail }) = context.fault {
            return Ok(failures(count, reason, detail.as_deref()));
        }
        // Tasks beyond the backend's limit get the answer that Fargate has no capacity.
        let limit = context.cloud.backend.task_limit();
        let room = limit.map_or(count, |limit| limit.saturating_sub(live));
        let launched = count.min(room);
        if !may_launch(context, launch.is_on_spot(), launched) {
            return Err(ServiceException::throttled());
        }
        let started: Vec<_> = (0..launched)
            .map(|_| {
                let sequence = state.next_sequence();
                self.start_one(context, &mut state, &launch, sequence)
            })
            .collect();
        let region = state.region(context.region, context.now);
        // A call that started nothing may be repeated with the same token.
        if let Some(token) = self.client_token.filter(|_| !started.is_empty()) {
            let cluster = region.cluster_mut(self.cluster.as_deref())?;
            cluster.tokens.remember(token, parameters, started.clone(), context.now);
        }
        let mut body = answer(region, &started);
        let refused = failures(count - started.len(), NO_CAPACITY, None);
        body["failures"] = refused["failures"].clone();
        Ok(body)
    }
}

impl RunTask {
    /// To add tags needs a right of its own. Source: Amazon ECS Developer Guide, "Grant permission to tag
    /// resources on creation".
    fn check_rights(&self, context: &RequestContext<'_>) -> Result<(), ServiceException> {
        if self.tags.as_ref().is_none_or(Vec::is_empty) {
            return Ok(());
        }
        let names = RegionArns { region: context.region.to_owned() };
        let cluster = names.cluster_name(self.cluster.as_deref())?;
        may_tag_on_creation(context, "RunTask", &names.task(cluster, "*"), &self.clone().write())
    }

    /// The roles that ECS assumes for the task: those of the request, else those of the definition.
    fn roles<'a>(&'a self, launch: &'a CheckedLaunch) -> impl Iterator<Item = &'a String> {
        let (own, fixed) = (self.overrides.as_ref(), &launch.definition.shape);
        let task = own.and_then(|own| own.task_role_arn.as_ref()).or(fixed.task_role_arn.as_ref());
        let execution = own.and_then(|own| own.execution_role_arn.as_ref());
        task.into_iter().chain(execution.or(fixed.execution_role_arn.as_ref()))
    }

    /// Creates one task and starts its lifecycle. Returns the task's id.
    fn start_one(
        &self,
        context: &RequestContext<'_>,
        state: &mut CloudResources,
        launch: &CheckedLaunch,
        sequence: u64,
    ) -> String {
        let region = state.region(context.region, context.now);
        let backend = &context.cloud.backend;
        let places = u64::try_from(launch.places.len()).expect("at most 16");
        let turn = usize::try_from(sequence % places).expect("less than 16");
        let mut task = self.task(region, launch, turn, sequence, context.now);
        let place = &task.place;
        let seat = backend.take_seat(context.region, &place.subnet, place.family);
        task.interface.seat = seat;
        task.interface.address = seat.and_then(|seat| backend.address_of(seat));
        if launch.public_address {
            task.interface.public_address = seat.and_then(|seat| backend.public_address_of(seat));
        }
        let orders = task.orders.subscribe();
        let start = LifecycleStart {
            region: context.region.to_owned(),
            id: task.id.clone(),
            fault: context.fault.and_then(CloudFault::of_task),
            orders,
        };
        let id = task.id.clone();
        region.tasks.insert(id.clone(), task);
        region.trim_tasks(context.now);
        context.cloud.spawn(run(Arc::clone(context.cloud), start));
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
        let id = random_id::hex_digits(32);
        let cluster = region.cluster(self.cluster.as_deref()).expect("checked in the plan");
        let definition = Arc::clone(&launch.definition);
        let container = |name: &Option<String>| CloudContainer {
            arn: region.names.container(&cluster.name, &id, &random_id::uuid()),
            name: name.clone().unwrap_or_default(),
            runtime_id: None,
            last_status: TaskStatus::Pending,
            exit_code: None,
            reason: None,
            image_digest: None,
            health: ContainerHealth::default(),
            local: None,
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
            // ECS's own name for tasks that were started without a group.
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

/// Whether so many tasks may be launched now. If so, the launch limit counts them.
fn may_launch(context: &RequestContext<'_>, on_spot: bool, tasks: usize) -> bool {
    let tasks = u32::try_from(tasks).expect("checked to be at most 10");
    context.cloud.buckets.launch(context.region, on_spot, tasks, context.now)
}

fn interface() -> TaskNetworkInterface {
    let octets = random_id::hex_digits(10);
    let pairs: Vec<_> = (0..5).map(|i| &octets[2 * i..2 * i + 2]).collect();
    TaskNetworkInterface {
        attachment_id: random_id::uuid(),
        status: InterfaceStatus::Precreated,
        interface_id: format!("eni-{}", random_id::hex_digits(17)),
        // 0a is a locally administered address, as in AWS.
        mac_address: format!("0a:{}", pairs.join(":")),
        seat: None,
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
