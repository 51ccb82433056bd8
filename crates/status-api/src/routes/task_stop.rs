//! An operator stops a task of this host. The daemon's thread does it; here it is decided who may, and it stands
//! in the audit log before ECS is told.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use fargate_controller::{NamedTask, StopOrderError};
use fargate_history::AuditEntry;
use fargate_model::text::escape_within;
use serde::Serialize;

use super::AnyRefusal;
use super::changes::allowed;
use crate::access::RequestCaller;
use crate::clock::now_ms;
use crate::request_body::ChangeBody;
use crate::request_parts::NamedInPath;
use crate::status_service::unread;
use crate::{ApiProblem, StatusService};

/// A task that ECS was told to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct TaskStopAnswer {
    /// Its ARN.
    task: String,
    /// The key of its job, if its overrides name one.
    job: Option<String>,
    /// `stopping`.
    state: &'static str,
}

/// Stop a task of this host; its job ends as a system failure
#[utoipa::path(post, path = "/api/v1/tasks/{id}/stop", tag = "changes", request_body = ChangeBody,
    params(("id" = String, Path, description = "The task's id, the last part of its ARN")),
    responses((status = 200, body = TaskStopAnswer), AnyRefusal))]
pub(crate) async fn stop(
    State(service): State<Arc<StatusService>>,
    caller: RequestCaller,
    NamedInPath(id): NamedInPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<TaskStopAnswer>, ApiProblem> {
    let fields = allowed(&service, &caller, &headers, body).await?;
    stop_task(&service, &caller, &id, &fields.note).await.map(Json)
}

/// Stops the task with this id, once that stands in the audit log.
pub(crate) async fn stop_task(
    service: &Arc<StatusService>,
    caller: &RequestCaller,
    id: &str,
    note: &str,
) -> Result<TaskStopAnswer, ApiProblem> {
    let stops = service.stops().ok_or(ApiProblem::NoDaemon)?;
    let (id, note) = (id.to_owned(), escape_within(note, 200));
    let (who, worker) = (caller.name().to_owned(), Arc::clone(service));
    let work = async move {
        let task = match stops.find(&id).await.map_err(not_stopped)? {
            NamedTask::Live(task) => task,
            NamedTask::Over(_) => return Err(ApiProblem::TaskOver(id)),
            NamedTask::Unknown => return Err(ApiProblem::unknown_task(&id)),
        };
        let (arn, job) = (task.seen.task.0.clone(), task.seen.job.clone());
        let entry = AuditEntry {
            at_ms: now_ms(),
            host: worker.settings.host.clone(),
            who: who.clone(),
            action: "task.stop".to_owned(),
            object: arn.clone(),
            details: serde_json::json!({ "job": job, "note": note }),
        };
        worker.history()?.add_audit(&entry).await.map_err(unread)?;
        stops.stop(task, &format!("{who} by the status page")).await.map_err(not_stopped)?;
        Ok(TaskStopAnswer { task: arn, job, state: "stopping" })
    };
    let stopped = service.work(work).await?;
    service.forget_answers();
    Ok(stopped)
}

fn not_stopped(error: StopOrderError) -> ApiProblem {
    match error {
        StopOrderError::NoDaemon => ApiProblem::NoDaemon,
        error @ StopOrderError::ManyOrders => ApiProblem::ManyStops(error.to_string()),
        StopOrderError::Refused(words) => ApiProblem::EcsRefused(words),
    }
}
