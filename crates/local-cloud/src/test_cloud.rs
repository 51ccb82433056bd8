//! Clouds for unit tests: without a server and without an agent.

use std::sync::Arc;

use crate::backend::ContainerBackend;
use crate::cloud::CloudInstance;
use crate::limits::CloudRateLimits;
use crate::options::CloudOptions;
use crate::services::new_states;
use crate::task_roles::RunningTaskRoles;
use crate::task_timing::TaskTiming;
use crate::wire::credentials::{AcceptedKeys, AccessKeyPair};

/// A cloud without limits.
pub(crate) fn for_tests(pace: TaskTiming, empty: bool) -> Arc<CloudInstance> {
    start(&CloudOptions { pace, empty, ..CloudOptions::new("no-agent") })
}

/// A furnished cloud without delays.
pub(crate) fn with_limits(limits: CloudRateLimits) -> Arc<CloudInstance> {
    start(&CloudOptions { limits, ..CloudOptions::new("no-agent") })
}

fn start(options: &CloudOptions) -> Arc<CloudInstance> {
    let keys = AcceptedKeys::new(&AccessKeyPair::new("test", "test"));
    let folder = std::env::temp_dir().join("fargate-local-without-server");
    let backend = ContainerBackend::processes(options.agent.clone(), folder, 4000);
    let backend = backend.expect("a backend");
    let states = new_states(options);
    // Nobody opens an endpoint, so no task with a role starts.
    let (task_roles, _) = RunningTaskRoles::new();
    Arc::new(CloudInstance::new(keys, options.limits.clone(), backend, states, task_roles))
}
