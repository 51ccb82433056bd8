//! `ListTasks`.

use serde_json::json;

use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ecs::state::task::CloudTask;
use crate::services::list_page::page;
use crate::wire::exception::ServiceException;
use crate::wire::member::{shapes, without_nulls};

/// Tasks of one page. Source: Amazon ECS API Reference, `ListTasks`, `maxResults`.
const PAGE: usize = 100;

shapes! {
    ListTasks {
        cluster: String = "cluster",
        container_instance: String = "containerInstance",
        family: String = "family",
        next_token: String = "nextToken",
        max_results: i32 = "maxResults",
        started_by: String = "startedBy",
        service_name: String = "serviceName",
        desired_status: String = "desiredStatus",
        launch_type: String = "launchType",
        daemon_name: String = "daemonName",
    }
}

impl JsonRequest for ListTasks {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        self.check()?;
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        let cluster = region.cluster(self.cluster.as_deref())?.name.clone();
        let tasks = region.tasks.values().filter(|task| task.cluster == cluster);
        let tasks = tasks.filter_map(|task| task.seen(context.now, context.view));
        let tasks = tasks.filter(|task| self.wants(task));
        let arns = tasks.map(|task| task.arn.clone()).collect();
        let page = page(arns, self.max_results, self.next_token.as_deref(), PAGE)?;
        Ok(without_nulls(json!({ "taskArns": page.items, "nextToken": page.next_token })))
    }
}

impl ListTasks {
    fn check(&self) -> Result<(), ServiceException> {
        let others =
            [&self.family, &self.service_name, &self.container_instance, &self.launch_type];
        if self.started_by.is_some() && others.iter().any(|other| other.is_some()) {
            return Err(ServiceException::parameter(
                "startedBy must be the only filter when it is specified.",
            ));
        }
        match self.desired_status.as_deref() {
            None | Some("RUNNING" | "PENDING" | "STOPPED") => {}
            Some(_) => {
                return Err(ServiceException::parameter(
                    "desiredStatus must be one of PENDING, RUNNING and STOPPED.",
                ));
            }
        }
        match self.launch_type.as_deref() {
            None | Some("EC2" | "FARGATE" | "EXTERNAL" | "MANAGED_INSTANCES") => {}
            Some(_) => {
                return Err(ServiceException::parameter(
                    "launchType must be one of EC2, FARGATE, EXTERNAL and MANAGED_INSTANCES.",
                ));
            }
        }
        if self.service_name.is_some() {
            return Err(ServiceException::new("ServiceNotFoundException", "Service not found."));
        }
        if self.daemon_name.is_some() {
            return Err(ServiceException::parameter("The referenced daemon was not found."));
        }
        if self.container_instance.is_some() {
            return Err(ServiceException::parameter(
                "The referenced container instance was not found.",
            ));
        }
        Ok(())
    }

    /// A desired status of PENDING matches nothing, as the API Reference says.
    fn wants(&self, task: &CloudTask) -> bool {
        self.desired_status.as_deref().unwrap_or("RUNNING") == task.desired_status()
            && self.family.as_ref().is_none_or(|family| *family == task.definition.family)
            && self.started_by.as_ref().is_none_or(|by| task.started_by.as_ref() == Some(by))
            && self.launch_type.as_ref().is_none_or(|launch| launch == "FARGATE")
    }
}
