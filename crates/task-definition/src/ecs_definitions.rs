//! The task definitions of one account and Region: looks up, registers, deregisters and deletes revisions.
//!
//! Every call is repeated by the one retry policy until a deadline. What to register, and what nobody needs
//! any more, is decided elsewhere.

use std::collections::BTreeSet;

use fargate_aws::{AwsAccount, CallError, EcsOperation, retry};
use fargate_state::SharedRateLimiter;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::error::DefinitionError;
use crate::rendered::RenderedDefinition;
use crate::revision::DefinitionRevision;

/// Revisions that a look-up describes, newest first. A configuration in use is among the newest; if it is
/// not, one more equal revision is registered, which costs nothing.
const LOOKED_AT: usize = 20;
/// Most pages that are read of any list.
const PAGES: usize = 100;
/// Most revisions of one `DeleteTaskDefinitions`. Source: Amazon ECS API Reference.
const DELETE_LIMIT: usize = 10;
/// Most tasks of one DescribeTasks. Source: Amazon ECS API Reference.
pub(crate) const DESCRIBE_LIMIT: usize = 100;

/// The task definitions of one account and Region.
#[derive(Clone, Debug)]
pub struct EcsDefinitions {
    account: AwsAccount,
    writes: Option<SharedRateLimiter>,
}

impl EcsDefinitions {
    /// For this account.
    #[must_use]
    pub fn new(account: AwsAccount) -> Self {
        Self { account, writes: None }
    }

    /// The same, but registering and deregistering wait for their turn among all processes of this host:
    /// AWS takes one of them a second for a whole account.
    #[must_use]
    pub fn sharing(self, writes: SharedRateLimiter) -> Self {
        Self { writes: Some(writes), ..self }
    }

    /// The Region.
    #[must_use]
    pub fn region(&self) -> &str {
        self.account.region()
    }

    /// The endpoint of ECS.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.account.endpoint("ecs")
    }

    pub(crate) async fn call(
        &self,
        operation: EcsOperation,
        body: Value,
        deadline: Instant,
    ) -> Result<Value, DefinitionError> {
        let answer = retry(deadline, || self.account.ecs_json(operation, &body)).await;
        answer.map_err(|error| DefinitionError::Call { operation, error })
    }

    /// A call that AWS limits to one a second. A refusal makes all processes of this host slower.
    async fn write(
        &self,
        operation: EcsOperation,
        body: Value,
        deadline: Instant,
    ) -> Result<Value, DefinitionError> {
        let attempt = || async {
            if let Some(writes) = &self.writes {
                writes.wait().await;
            }
            let answer = self.account.ecs_json(operation, &body).await;
            if let (Err(error), Some(writes)) = (&answer, &self.writes)
                && error.is_throttled()
            {
                writes.slow_down().await;
            }
            answer
        };
        let answer = retry(deadline, attempt).await;
        answer.map_err(|error| DefinitionError::Call { operation, error })
    }

    /// The ARNs of a family's revisions of this status, newest first, at most so many.
    async fn arns(
        &self,
        family: &str,
        status: &str,
        most: usize,
        deadline: Instant,
    ) -> Result<Vec<String>, DefinitionError> {
        let body = json!({
            "familyPrefix": family, "status": status, "sort": "DESC", "maxResults": most.min(100),
        });
        let operation = EcsOperation::ListTaskDefinitions;
        let mut arns = self.pages(operation, body, "taskDefinitionArns", most, deadline).await?;
        // ECS compares a prefix by its documentation, and the whole name by what it does.
        arns.retain(|arn| family_of(arn) == Some(family));
        Ok(arns)
    }

    /// The texts of a list that comes in pages.
    async fn pages(
        &self,
        operation: EcsOperation,
        mut body: Value,
        list: &'static str,
        most: usize,
        deadline: Instant,
    ) -> Result<Vec<String>, DefinitionError> {
        let mut found: Vec<String> = Vec::new();
        for _ in 0..PAGES {
            let answer = self.call(operation, body.clone(), deadline).await?;
            let items = answer.get(list).and_then(Value::as_array);
            let items = items.ok_or(DefinitionError::Answer { operation, what: list })?;
            found.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
            match answer.get("nextToken").and_then(Value::as_str) {
                Some(next) if found.len() < most => body["nextToken"] = Value::from(next),
                _ => break,
            }
        }
        found.truncate(most);
        Ok(found)
    }

    /// One revision: `family` (its newest active one), `family:revision` or ARN. `None` if ECS knows
    /// none.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`] if the call failed.
    pub async fn describe(
        &self,
        name: &str,
        deadline: Instant,
    ) -> Result<Option<DefinitionRevision>, DefinitionError> {
        let operation = EcsOperation::DescribeTaskDefinition;
        let body = json!({ "taskDefinition": name, "include": ["TAGS"] });
        match self.call(operation, body, deadline).await {
            Ok(answer) => DefinitionRevision::of(&answer)
                .map(Some)
                .ok_or(DefinitionError::Answer { operation, what: "taskDefinition" }),
            Err(DefinitionError::Call { error, .. }) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The newest active revision that has this content, among the newest ones of its family. A tag alone
    /// is not believed: the console of AWS copies it to a revision that a person changes, and whoever may
    /// register revisions could choose the image of every job with it.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`] if a call failed.
    pub async fn find(
        &self,
        rendered: &RenderedDefinition,
        deadline: Instant,
    ) -> Result<Option<DefinitionRevision>, DefinitionError> {
        for arn in self.arns(rendered.family(), "ACTIVE", LOOKED_AT, deadline).await? {
            let revision = self.describe(&arn, deadline).await?;
            let fits = |revision: &DefinitionRevision| {
                revision.is_of(rendered) && revision.status == crate::RevisionStatus::Active
            };
            if let Some(revision) = revision.filter(fits) {
                return Ok(Some(revision));
            }
        }
        Ok(None)
    }

    /// Registers a new revision. It is not asked whether there is an equal one.
    ///
    /// If no answer comes, nobody knows whether the revision exists; the call is then repeated, and two
    /// equal revisions may exist.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`] if the call failed.
    pub async fn register(
        &self,
        rendered: &RenderedDefinition,
        deadline: Instant,
    ) -> Result<DefinitionRevision, DefinitionError> {
        let operation = EcsOperation::RegisterTaskDefinition;
        let answer = self.write(operation, rendered.input().clone(), deadline).await?;
        DefinitionRevision::of(&answer)
            .ok_or(DefinitionError::Answer { operation, what: "taskDefinition" })
    }

    /// Every revision of a family, active and inactive, newest first.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`] if a call failed.
    pub async fn list(
        &self,
        family: &str,
        deadline: Instant,
    ) -> Result<Vec<DefinitionRevision>, DefinitionError> {
        let mut found = Vec::new();
        for status in ["ACTIVE", "INACTIVE"] {
            for arn in self.arns(family, status, PAGES * 100, deadline).await? {
                found.extend(self.describe(&arn, deadline).await?);
            }
        }
        found.sort_by_key(|revision| std::cmp::Reverse(revision.number));
        Ok(found)
    }

    /// Makes a revision inactive. One that is inactive already is a success.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`] if the call failed.
    pub async fn deregister(&self, arn: &str, deadline: Instant) -> Result<(), DefinitionError> {
        let body = json!({ "taskDefinition": arn });
        self.write(EcsOperation::DeregisterTaskDefinition, body, deadline).await.map(drop)
    }

    /// Deletes inactive revisions. ECS keeps one that a running task has until the task ends. Gives
    /// those that were not deleted, each with the reason: when one call fails, others may have
    /// succeeded.
    pub async fn delete(&self, arns: &[String], deadline: Instant) -> Vec<(String, String)> {
        let mut refused = Vec::new();
        for some in arns.chunks(DELETE_LIMIT) {
            let body = json!({ "taskDefinitions": some });
            match self.write(EcsOperation::DeleteTaskDefinitions, body, deadline).await {
                Ok(answer) => refused.extend(not_deleted(&answer)),
                Err(error) => {
                    refused.extend(some.iter().map(|arn| (arn.clone(), error.to_string())));
                }
            }
        }
        refused
    }

    /// The ARNs of the revisions that tasks of this family in this cluster run with. In a cluster that this
    /// account does not have, no task of its revisions runs.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`] if a call failed.
    pub async fn in_use(
        &self,
        cluster: &str,
        family: &str,
        deadline: Instant,
    ) -> Result<BTreeSet<String>, DefinitionError> {
        let body = json!({ "cluster": cluster, "family": family, "desiredStatus": "RUNNING" });
        let operation = EcsOperation::ListTasks;
        let tasks = match self.pages(operation, body, "taskArns", PAGES * 100, deadline).await {
            Err(DefinitionError::Call { error, .. }) if has_no_cluster(&error) => Vec::new(),
            tasks => tasks?,
        };
        let mut used = BTreeSet::new();
        for some in tasks.chunks(DESCRIBE_LIMIT) {
            let body = json!({ "cluster": cluster, "tasks": some });
            let answer = self.call(EcsOperation::DescribeTasks, body, deadline).await?;
            let tasks = answer.get("tasks").and_then(Value::as_array).into_iter().flatten();
            let arn = |task: &Value| Some(task.get("taskDefinitionArn")?.as_str()?.to_owned());
            used.extend(tasks.filter_map(arn));
        }
        Ok(used)
    }
}

/// The revisions that ECS refused to delete, and its reasons.
fn not_deleted(answer: &Value) -> Vec<(String, String)> {
    let failures = answer.get("failures").and_then(Value::as_array);
    let text = |failure: &Value, name: &str| {
        failure.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let reason = |failure: &Value| (text(failure, "arn"), text(failure, "reason"));
    failures.into_iter().flatten().map(reason).collect()
}

/// Whether ECS says that there is no such task definition.
fn is_missing(error: &CallError) -> bool {
    matches!(error, CallError::Answered { code, message, .. }
        if code == "ClientException" && message.contains("Unable to describe task definition"))
}

/// Whether ECS says that there is no such cluster.
fn has_no_cluster(error: &CallError) -> bool {
    matches!(error, CallError::Answered { code, .. } if code == "ClusterNotFoundException")
}

/// The family in the ARN of a revision.
pub(crate) fn family_of(arn: &str) -> Option<&str> {
    let (_, name) = arn.split_once(":task-definition/")?;
    Some(name.rsplit_once(':')?.0)
}
