//! Reads everything but the network, in three waves: what the configuration names, what that leads to, and what
//! roles may do with it.

use fargate_aws::AwsAccount;
use futures_util::future::join;
use tokio::time::Instant;

use crate::account_view::AccountView;
use crate::job_needs::JobNeeds;
use crate::read::read_access::{AccessBasis, read_access};
use crate::read::read_cluster::read_cluster;
use crate::read::read_host::{read_gitlab, read_identity};
use crate::read::read_quotas::read_quotas;
use crate::read::read_registry::read_registry;
use crate::read::read_storage::{mounted, read_storage};
use crate::reading::AwsReading;
use crate::views::HostView;

/// Reads it. The network of the view stays unread.
pub(crate) async fn read_all_but_network(
    account: &AwsAccount,
    needs: &JobNeeds,
    deadline: Instant,
) -> AccountView {
    let gitlab = async {
        match &needs.gitlab_url {
            Some(url) => read_gitlab(account, url, deadline).await,
            None => AwsReading::default(),
        }
    };
    // GitLab and the quotas lead to nothing else, so nothing waits for them.
    let apart = join(gitlab, read_quotas(account, deadline));
    let linked = async {
        let (who, cluster) =
            join(read_identity(account, deadline), read_cluster(account, needs, deadline)).await;
        let clock_ahead_s = who.clock_ahead_s.clone();
        let systems = mounted(needs, &cluster);
        let storage = read_storage(account, &systems, deadline);
        let rest = async {
            let registry = read_registry(account, needs, &cluster, deadline).await;
            let basis = AccessBasis { needs, cluster: &cluster, registry: &registry };
            let access = read_access(account, who, basis, deadline).await;
            (registry, access)
        };
        let (storage, (registry, access)) = join(storage, rest).await;
        (cluster, storage, registry, access, clock_ahead_s)
    };
    let ((gitlab, quotas), (cluster, storage, registry, access, clock_ahead_s)) =
        join(apart, linked).await;
    let host = HostView { clock_ahead_s, gitlab };
    AccountView { access, cluster, storage, registry, quotas, host, ..AccountView::default() }
}
