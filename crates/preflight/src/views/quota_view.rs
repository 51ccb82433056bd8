//! Quotas of the account.

use crate::reading::AwsReading;

/// Quotas of the account in its Region.
#[derive(Clone, Debug, Default)]
pub struct QuotaView {
    /// vCPU of all tasks on demand.
    pub on_demand_vcpu: AwsReading<f64>,
    /// vCPU of all tasks on Spot.
    pub spot_vcpu: AwsReading<f64>,
    /// Network interfaces.
    pub network_interfaces: AwsReading<f64>,
}
