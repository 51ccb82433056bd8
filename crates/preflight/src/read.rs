//! Asks AWS, all services side by side, and fills the view. Nothing here judges.

mod account_reader;
mod asked;
pub(crate) mod named_image;
mod network_reader;
pub(crate) mod read_access;
mod read_cluster;
mod read_host;
mod read_quotas;
mod read_registry;
pub(crate) mod read_roles;
mod read_storage;

use fargate_aws::AwsAccount;
use futures_util::future::join;
use tokio::time::Instant;

use crate::account_view::AccountView;
use crate::job_needs::JobNeeds;

/// Reads everything that the checks judge. It ends at the deadline: what has not come by then is not read.
pub async fn read_account(
    account: &AwsAccount,
    needs: &JobNeeds,
    deadline: Instant,
) -> AccountView {
    let network = network_reader::read_network(account, needs, deadline);
    let rest = account_reader::read_all_but_network(account, needs, deadline);
    let (network, rest) = join(network, rest).await;
    AccountView { network, ..rest }
}
