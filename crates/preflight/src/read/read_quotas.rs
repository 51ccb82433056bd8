//! Reads the quotas that limit how many tasks run at one time.

use fargate_aws::{AwsAccount, ServiceQuota};
use futures_util::future::join3;
use tokio::time::Instant;

use crate::read::asked::asked;
use crate::reading::AwsReading;
use crate::views::QuotaView;

/// Reads all of them, side by side.
pub(crate) async fn read_quotas(account: &AwsAccount, deadline: Instant) -> QuotaView {
    let read = |quota| read_one(account, quota, deadline);
    let (on_demand_vcpu, spot_vcpu, network_interfaces) = join3(
        read(ServiceQuota::FargateOnDemandVcpu),
        read(ServiceQuota::FargateSpotVcpu),
        read(ServiceQuota::NetworkInterfaces),
    )
    .await;
    QuotaView { on_demand_vcpu, spot_vcpu, network_interfaces }
}

async fn read_one(account: &AwsAccount, quota: ServiceQuota, deadline: Instant) -> AwsReading<f64> {
    asked("servicequotas:GetServiceQuota", deadline, || account.service_quota(quota)).await
}
