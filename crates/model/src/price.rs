//! What Fargate asks for a task, and what a task costs by that. Money is in millionths of a US dollar.
//!
//! It knows no taxes, no discounts, and nothing that is billed beside the task: addresses, EFS, logs.

use serde::{Deserialize, Serialize};

/// Shortest time that is billed, in seconds. Source: AWS Fargate pricing.
const LEAST_S: u64 = 60;
/// Ephemeral storage that costs nothing, in GiB. Source: AWS Fargate pricing.
const FREE_DISK_GIB: u32 = 20;
/// Seconds of an hour: AWS names prices by the hour and bills by the second.
const HOUR_S: f64 = 3600.0;
const MICRO: f64 = 1_000_000.0;
const GIGABYTE: f64 = 1_000_000_000.0;

/// Prices in US dollars, as the configuration names them. A price that is missing is `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskPrices {
    /// The day on which they were read: `2026-10-09`.
    pub date: String,
    /// The Region that they are of.
    pub region: String,
    /// Per vCPU and hour, x86.
    pub x86_vcpu_hour: Option<f64>,
    /// Per GB of memory and hour, x86.
    pub x86_gb_hour: Option<f64>,
    /// Per vCPU and hour, ARM.
    pub arm_vcpu_hour: Option<f64>,
    /// Per GB of memory and hour, ARM.
    pub arm_gb_hour: Option<f64>,
    /// Per vCPU and hour, x86 on Spot.
    pub x86_spot_vcpu_hour: Option<f64>,
    /// Per GB of memory and hour, x86 on Spot.
    pub x86_spot_gb_hour: Option<f64>,
    /// Per vCPU and hour, ARM on Spot.
    pub arm_spot_vcpu_hour: Option<f64>,
    /// Per GB of memory and hour, ARM on Spot.
    pub arm_spot_gb_hour: Option<f64>,
    /// Per GB of ephemeral storage above 20 GB and hour.
    pub disk_gb_hour: Option<f64>,
    /// Per GB that crosses a NAT gateway.
    pub nat_per_gb: Option<f64>,
    /// Whether images come through a NAT gateway.
    #[serde(default)]
    pub image_through_nat: bool,
}

impl Default for TaskPrices {
    /// Linux in us-east-1. Source: AWS Fargate pricing, read on 2026-10-09. The prices of Spot move; these are
    /// of January 2024. ARM on Spot and NAT have none.
    fn default() -> Self {
        Self {
            date: "2026-10-09".to_owned(),
            region: "us-east-1".to_owned(),
            x86_vcpu_hour: Some(0.04048),
            x86_gb_hour: Some(0.004_446),
            arm_vcpu_hour: Some(0.03238),
            arm_gb_hour: Some(0.003_56),
            x86_spot_vcpu_hour: Some(0.01246),
            x86_spot_gb_hour: Some(0.001_369),
            arm_spot_vcpu_hour: None,
            arm_spot_gb_hour: None,
            disk_gb_hour: Some(0.000_111),
            nat_per_gb: None,
            image_through_nat: false,
        }
    }
}

/// What a task used, as far as it is billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BilledUse {
    /// From the first byte of the image until the task was gone.
    pub time_ms: u64,
    /// CPU units; 1024 are one vCPU.
    pub cpu_units: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Ephemeral storage in GiB; the first 20 are free.
    pub disk_gib: u32,
    /// Whether it ran on ARM.
    pub is_arm: bool,
    /// Whether it ran on Spot.
    pub is_spot: bool,
    /// Bytes of the image, compressed, as the task pulled it. `None`: not known.
    pub image_bytes: Option<u64>,
}

/// A price that is needed and not in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no price `prices.{key}` in the configuration")]
pub struct MissingPrice {
    /// The key in the section `prices`.
    pub key: &'static str,
}

impl TaskPrices {
    /// What this use costs. A use without any time costs nothing.
    ///
    /// # Errors
    ///
    /// [`MissingPrice`] with the first key that is needed. An image whose size is not known adds nothing.
    pub fn cost_micro_usd(&self, used: &BilledUse) -> Result<u64, MissingPrice> {
        if used.time_ms == 0 {
            return Ok(0);
        }
        let seconds = to_f64(used.time_ms.div_ceil(1000).max(LEAST_S));
        let (vcpu, gb) = self.by_capacity(used)?;
        let mut per_hour = f64::from(used.cpu_units) / 1024.0 * vcpu;
        per_hour += f64::from(used.memory_mib) / 1024.0 * gb;
        let disk = used.disk_gib.saturating_sub(FREE_DISK_GIB);
        if disk > 0 {
            let price = self.disk_gb_hour.ok_or(MissingPrice { key: "disk_gb_hour" })?;
            per_hour += f64::from(disk) * price;
        }
        let task = rounded(per_hour / HOUR_S * seconds * MICRO);
        Ok(task.saturating_add(self.nat_micro_usd(used)?))
    }

    /// Of it: the image's way through a NAT gateway. 0 where images take another way.
    ///
    /// # Errors
    ///
    /// [`MissingPrice`] if the price of that way is needed and missing.
    pub fn nat_micro_usd(&self, used: &BilledUse) -> Result<u64, MissingPrice> {
        let bytes = used.image_bytes.filter(|_| self.image_through_nat && used.time_ms > 0);
        let Some(bytes) = bytes else { return Ok(0) };
        let price = self.nat_per_gb.ok_or(MissingPrice { key: "nat_per_gb" })?;
        Ok(rounded(to_f64(bytes) / GIGABYTE * price * MICRO))
    }

    /// The prices per hour of a vCPU and of a GB.
    fn by_capacity(&self, used: &BilledUse) -> Result<(f64, f64), MissingPrice> {
        let named = |price: Option<f64>, key| price.ok_or(MissingPrice { key });
        let (vcpu, gb) = match (used.is_arm, used.is_spot) {
            (false, false) => {
                ((self.x86_vcpu_hour, "x86_vcpu_hour"), (self.x86_gb_hour, "x86_gb_hour"))
            }
            (true, false) => {
                ((self.arm_vcpu_hour, "arm_vcpu_hour"), (self.arm_gb_hour, "arm_gb_hour"))
            }
            (false, true) => (
                (self.x86_spot_vcpu_hour, "x86_spot_vcpu_hour"),
                (self.x86_spot_gb_hour, "x86_spot_gb_hour"),
            ),
            (true, true) => (
                (self.arm_spot_vcpu_hour, "arm_spot_vcpu_hour"),
                (self.arm_spot_gb_hour, "arm_spot_gb_hour"),
            ),
        };
        Ok((named(vcpu.0, vcpu.1)?, named(gb.0, gb.1)?))
    }
}

#[expect(clippy::cast_precision_loss, reason = "times and bytes of a task are far below 2^53")]
fn to_f64(n: u64) -> f64 {
    n as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "prices are not negative, and a float too large saturates"
)]
fn rounded(n: f64) -> u64 {
    n.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_MINUTES: u64 = 600_000;

    fn of_size(vcpu: u32, gb: u32) -> BilledUse {
        let (cpu_units, memory_mib) = (vcpu * 1024, gb * 1024);
        BilledUse { time_ms: TEN_MINUTES, cpu_units, memory_mib, ..BilledUse::default() }
    }

    fn cost(used: BilledUse) -> u64 {
        TaskPrices::default().cost_micro_usd(&used).unwrap()
    }

    #[test]
    fn ten_minutes_cost_what_aws_says() {
        assert_eq!(cost(of_size(1, 2)), 8_229);
        assert_eq!(cost(of_size(2, 4)), 16_457);
        assert_eq!(cost(of_size(4, 8)), 32_915);
        assert_eq!(cost(BilledUse { is_arm: true, ..of_size(4, 8) }), 26_333);
        assert_eq!(cost(of_size(16, 32)), 131_659);
    }

    #[test]
    fn a_part_of_a_second_counts_whole_and_a_part_of_a_minute_counts_as_one() {
        let after = |time_ms| cost(BilledUse { time_ms, ..of_size(1, 2) });
        assert_eq!(after(0), 0);
        assert_eq!(after(1), after(60_000));
        assert_eq!(after(60_001), after(61_000));
        assert!(after(61_000) > after(60_000));
    }

    #[test]
    fn only_disk_above_20_gib_costs() {
        let plain = cost(of_size(1, 2));
        assert_eq!(cost(BilledUse { disk_gib: 20, ..of_size(1, 2) }), plain);
        assert_eq!(cost(BilledUse { disk_gib: 120, ..of_size(1, 2) }), plain + 1_850);
    }

    #[test]
    fn an_image_costs_its_way_through_a_nat_gateway_where_there_is_one() {
        let used = BilledUse { image_bytes: Some(2_000_000_000), ..of_size(1, 2) };
        let plain = cost(of_size(1, 2));
        let priced = |image_through_nat, nat_per_gb| {
            let prices = TaskPrices { image_through_nat, nat_per_gb, ..TaskPrices::default() };
            prices.cost_micro_usd(&used).map_err(|missing| missing.key)
        };
        assert_eq!(priced(false, Some(0.045)), Ok(plain));
        assert_eq!(priced(true, Some(0.045)), Ok(plain + 90_000));
        assert_eq!(priced(true, None), Err("nat_per_gb"));
    }

    #[test]
    fn prices_without_bound_cost_the_most_there_is() {
        let used = BilledUse { image_bytes: Some(u64::MAX), ..of_size(1, 2) };
        let prices = TaskPrices {
            x86_vcpu_hour: Some(f64::MAX),
            image_through_nat: true,
            nat_per_gb: Some(f64::MAX),
            ..TaskPrices::default()
        };
        assert_eq!(prices.cost_micro_usd(&used), Ok(u64::MAX));
    }

    #[test]
    fn a_price_that_is_missing_is_named_and_not_guessed() {
        let used = BilledUse { is_arm: true, is_spot: true, ..of_size(1, 2) };
        let error = TaskPrices::default().cost_micro_usd(&used).unwrap_err();
        assert_eq!(error.to_string(), "no price `prices.arm_spot_vcpu_hour` in the configuration");
    }
}
