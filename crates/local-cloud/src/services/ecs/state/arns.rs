//! The ARNs of one Region: writes them, and reads the names and ARNs of requests.

use fargate_model::region::AwsPartition;

use crate::account::ACCOUNT;
use crate::wire::exception::ServiceException;

/// Writes the ARNs of one Region.
#[derive(Clone, Debug)]
pub struct RegionArns {
    /// For example `eu-west-1`.
    pub region: String,
}

impl RegionArns {
    fn partition(&self) -> &'static str {
        AwsPartition::of(&self.region).name()
    }

    fn ecs(&self, rest: &str) -> String {
        format!("arn:{}:ecs:{}:{ACCOUNT}:{rest}", self.partition(), self.region)
    }

    pub fn cluster(&self, name: &str) -> String {
        self.ecs(&format!("cluster/{name}"))
    }

    pub fn capacity_provider(&self, name: &str) -> String {
        self.ecs(&format!("capacity-provider/{name}"))
    }

    pub fn definition(&self, family: &str, revision: i32) -> String {
        self.ecs(&format!("task-definition/{family}:{revision}"))
    }

    pub fn task(&self, cluster: &str, id: &str) -> String {
        self.ecs(&format!("task/{cluster}/{id}"))
    }

    pub fn container(&self, cluster: &str, task: &str, uuid: &str) -> String {
        self.ecs(&format!("container/{cluster}/{task}/{uuid}"))
    }

    /// The principal that registers task definitions.
    pub fn registrant(&self) -> String {
        format!("arn:{}:iam::{ACCOUNT}:root", self.partition())
    }

    /// The part after the account in an ARN of this Region; `None` for any other text.
    fn resource<'a>(&self, arn: &'a str) -> Option<&'a str> {
        arn.strip_prefix(&self.ecs(""))
    }

    /// The cluster's name, from a name or an ARN. Without either it is `default`.
    pub fn cluster_name<'a>(
        &self,
        reference: Option<&'a str>,
    ) -> Result<&'a str, ServiceException> {
        let reference = reference.filter(|text| !text.is_empty()).unwrap_or("default");
        if !reference.starts_with("arn:") {
            return Ok(reference);
        }
        let name = self.resource(reference).and_then(|rest| rest.strip_prefix("cluster/"));
        name.ok_or_else(ServiceException::no_cluster)
    }

    /// The task's id, from an id or an ARN of a task in `cluster`.
    pub fn task_id<'a>(
        &self,
        reference: &'a str,
        cluster: &str,
    ) -> Result<&'a str, ServiceException> {
        let mut id = reference;
        if reference.starts_with("arn:") {
            let rest = self.resource(reference).and_then(|rest| rest.strip_prefix("task/"));
            let rest = rest.ok_or_else(|| {
                ServiceException::parameter(format!(
                    "Invalid identifier: {reference} is no task here."
                ))
            })?;
            id = match rest.split_once('/') {
                Some((other, id)) if other != cluster && !id.contains('/') => {
                    return Err(ServiceException::parameter(format!(
                        "Invalid identifier: Identifier is for cluster {other}. Your cluster is \
                         {cluster}"
                    )));
                }
                Some((_, id)) => id,
                None => rest,
            };
        }
        if ![32, 36].contains(&id.len()) {
            return Err(ServiceException::parameter("taskId length should be one of [32,36]"));
        }
        if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(ServiceException::parameter(
                "Invalid identifier: taskId has invalid characters",
            ));
        }
        Ok(id)
    }

    /// `family` and, where given, the revision, in `family`, `family:revision` or an ARN.
    pub fn family_and_revision<'a>(&self, reference: &'a str) -> Option<(&'a str, Option<i32>)> {
        let text = match reference.strip_prefix("arn:") {
            None => reference,
            Some(_) => self.resource(reference)?.strip_prefix("task-definition/")?,
        };
        match text.split_once(':') {
            None => Some((text, None)),
            Some((family, revision)) => Some((family, Some(revision.parse().ok()?))),
        }
    }

    /// What a tagged ARN names.
    pub fn tagged<'a>(&self, arn: &'a str) -> Option<TaggedResource<'a>> {
        let rest = self.resource(arn)?;
        match rest.split_once('/')? {
            ("cluster", name) => Some(TaggedResource::Cluster(name)),
            ("task-definition", name) => {
                let (family, revision) = name.split_once(':')?;
                Some(TaggedResource::Definition(family, revision.parse().ok()?))
            }
            ("task", name) => Some(TaggedResource::Task(name.rsplit('/').next().unwrap_or(name))),
            _ => None,
        }
    }
}

/// A resource that can have tags.
#[derive(Debug, PartialEq, Eq)]
pub enum TaggedResource<'a> {
    /// By its name.
    Cluster(&'a str),
    /// By family and revision.
    Definition(&'a str, i32),
    /// By its id.
    Task(&'a str),
}

/// Whether a name has 1 to 255 letters, digits, hyphens and underscores.
pub fn is_identifier(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> RegionArns {
        RegionArns { region: "cn-north-1".to_owned() }
    }

    #[test]
    fn arns_carry_the_partition_of_their_region() {
        assert_eq!(names().task("ci", "0f"), "arn:aws-cn:ecs:cn-north-1:123456789012:task/ci/0f");
        assert_eq!(names().registrant(), "arn:aws-cn:iam::123456789012:root");
    }

    #[test]
    fn a_task_is_named_by_id_or_arn_of_this_region_and_cluster() {
        let id = "0123456789abcdef0123456789abcdef";
        let arn = names().task("ci", id);
        let said = |reference: &str| {
            names().task_id(reference, "ci").map(str::to_owned).map_err(|refusal| refusal.message)
        };
        assert_eq!(said(id).as_deref(), Ok(id));
        assert_eq!(said(&arn).as_deref(), Ok(id));
        assert_eq!(
            said(&names().task("other", id)).unwrap_err(),
            "Invalid identifier: Identifier is for cluster other. Your cluster is ci"
        );
        assert_eq!(said("None").unwrap_err(), "taskId length should be one of [32,36]");
        assert!(said(&arn.replace("cn-north-1", "us-east-1")).is_err());
    }

    #[test]
    fn a_definition_is_named_by_family_revision_or_arn() {
        let read = |text: &str| {
            names().family_and_revision(text).map(|(family, rev)| (family.to_owned(), rev))
        };
        assert_eq!(read("ci-job"), Some(("ci-job".to_owned(), None)));
        assert_eq!(read("ci-job:7"), Some(("ci-job".to_owned(), Some(7))));
        assert_eq!(read(&names().definition("ci-job", 7)), Some(("ci-job".to_owned(), Some(7))));
        assert_eq!(read("ci-job:seven"), None);
        assert_eq!(read("arn:aws:ecs:us-east-1:123456789012:task-definition/ci-job:7"), None);
    }
}
