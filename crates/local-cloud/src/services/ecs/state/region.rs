//! The resources of one Region, and how requests find them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::arns::RegionArns;
use super::cluster::{CloudCluster, ClusterTaskCounts};
use super::definition::{DefinitionStatus, TaskDefinition};
use super::task::CloudTask;
use crate::fault::ReaderLag;
use crate::wire::exception::ServiceException;
use fargate_model::task::TaskStatus;

/// One Region.
pub struct CloudRegion {
    pub names: RegionArns,
    pub clusters: BTreeMap<String, CloudCluster>,
    /// By family; the revision is the index plus one.
    pub families: BTreeMap<String, Vec<Arc<TaskDefinition>>>,
    /// By id.
    pub tasks: BTreeMap<String, CloudTask>,
}

/// How many stopped tasks a Region keeps for the record; older ones are dropped.
const KEPT_TASKS: usize = 20_000;

impl CloudRegion {
    /// A Region without resources.
    pub fn new(name: &str) -> Self {
        Self {
            names: RegionArns { region: name.to_owned() },
            clusters: BTreeMap::new(),
            families: BTreeMap::new(),
            tasks: BTreeMap::new(),
        }
    }

    /// The active cluster with this name or ARN. Without either it is `default`.
    pub fn cluster(&self, reference: Option<&str>) -> Result<&CloudCluster, ServiceException> {
        let name = self.names.cluster_name(reference)?;
        match self.clusters.get(name) {
            None => Err(ServiceException::no_cluster()),
            Some(cluster) if cluster.deleted => Err(ServiceException::new(
                "ClusterNotFoundException",
                "The referenced cluster was inactive.",
            )),
            Some(cluster) => Ok(cluster),
        }
    }

    /// As [`CloudRegion::cluster`], to change it.
    pub fn cluster_mut(
        &mut self,
        reference: Option<&str>,
    ) -> Result<&mut CloudCluster, ServiceException> {
        let name = self.cluster(reference)?.name.clone();
        Ok(self.clusters.get_mut(&name).expect("found above"))
    }

    /// Tasks of a cluster by state.
    pub fn counts(&self, cluster: &str) -> ClusterTaskCounts {
        let mut counts = ClusterTaskCounts::default();
        for task in self.tasks.values().filter(|task| task.cluster == cluster) {
            match task.last_status {
                TaskStatus::Running => counts.running += 1,
                TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => {
                    counts.pending += 1
                }
                _ => {}
            }
        }
        counts
    }

    /// The revision that `reference` names; without a revision, the latest active one.
    pub fn definition(&self, reference: &str) -> Option<&Arc<TaskDefinition>> {
        let (family, revision) = self.names.family_and_revision(reference)?;
        let revisions = self.families.get(family)?;
        match revision {
            Some(revision) => revisions.get(usize::try_from(revision).ok()?.checked_sub(1)?),
            None => revisions.iter().rev().find(|d| d.status == DefinitionStatus::Active),
        }
    }

    /// As [`CloudRegion::definition`], to change it. Running tasks keep the definition that they were
    /// started with.
    pub fn definition_mut(&mut self, reference: &str) -> Option<&mut TaskDefinition> {
        let found = self.definition(reference)?;
        let (family, index) = (found.family.clone(), usize::try_from(found.revision).ok()? - 1);
        Some(Arc::make_mut(&mut self.families.get_mut(&family)?[index]))
    }

    /// The task as a reader sees it; `None` if the reader does not see it.
    pub fn visible_task(
        &self,
        cluster: &str,
        id: &str,
        now: SystemTime,
        view: ReaderLag,
    ) -> Option<Cow<'_, CloudTask>> {
        let task = self.tasks.get(id).filter(|task| task.cluster == cluster)?;
        task.seen(now, view)
    }

    /// Drops the oldest stopped task beyond [`KEPT_TASKS`], and the history of tasks that stopped long
    /// ago.
    pub fn trim_tasks(&mut self, now: SystemTime) {
        // Called once for each new task, so one task is dropped at a time.
        self.tasks.values_mut().for_each(|task| task.forget_past(now));
        if self.tasks.len() <= KEPT_TASKS {
            return;
        }
        let oldest = self.tasks.iter().filter(|(_, task)| !task.is_live());
        if let Some(id) = oldest.min_by_key(|(_, task)| task.sequence).map(|(id, _)| id.clone()) {
            self.tasks.remove(&id);
        }
    }
}
