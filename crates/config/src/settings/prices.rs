//! `[prices]`: what AWS asks for a task, as somebody read it on some day.
//!
//! What a task costs by that is computed by `fargate-model`.

use fargate_model::price::TaskPrices;

use crate::check;
use crate::row::{flag, text};
use crate::table::{settings_table, table_with_defaults};

settings_table! {
    /// What AWS asks for a task, in US dollars, for estimates of what jobs cost.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct PriceSettings {
        /// The day on which the prices were read. Pages tell it beside each sum.
        // Source of the defaults: AWS Fargate pricing, Linux in us-east-1, read on this day.
        pub date: String = text(check::day).or_text("2026-10-09"),
        /// The Region that the prices are of.
        pub region: String = text(check::region).or_text("us-east-1"),
        /// A vCPU for an hour, x86.
        pub x86_vcpu_hour: String = text(check::price).or_text("0.04048"),
        /// A GB of memory for an hour, x86.
        pub x86_gb_hour: String = text(check::price).or_text("0.004446"),
        /// A vCPU for an hour, ARM.
        pub arm_vcpu_hour: String = text(check::price).or_text("0.03238"),
        /// A GB of memory for an hour, ARM.
        pub arm_gb_hour: String = text(check::price).or_text("0.00356"),
        /// A vCPU for an hour, x86 on Spot. Prices of Spot move; the default is of January 2024.
        pub x86_spot_vcpu_hour: String = text(check::price).or_text("0.01246"),
        /// A GB of memory for an hour, x86 on Spot.
        pub x86_spot_gb_hour: String = text(check::price).or_text("0.001369"),
        /// A vCPU for an hour, ARM on Spot.
        pub arm_spot_vcpu_hour: Option<String> = text(check::price)
            .or_absent("jobs on it have no estimate")
            .example("\"0.01\""),
        /// A GB of memory for an hour, ARM on Spot.
        pub arm_spot_gb_hour: Option<String> = text(check::price)
            .or_absent("jobs on it have no estimate")
            .example("\"0.001\""),
        /// A GB of ephemeral storage above 20 GB for an hour.
        pub disk_gb_hour: String = text(check::price).or_text("0.000111"),
        /// Whether tasks pull their images through a NAT gateway: the registry is not ECR, or no gateway endpoint
        /// leads to S3. Then the compressed size of each image is counted for each task.
        pub image_through_nat: bool = flag().or_flag(false),
        /// A GB that crosses a NAT gateway.
        pub nat_per_gb: Option<String> = text(check::price)
            .or_absent("with `image_through_nat`, jobs have no estimate")
            .example("\"0.045\""),
    }
}

table_with_defaults!(PriceSettings);

impl PriceSettings {
    /// The prices as numbers.
    #[must_use]
    pub fn prices(&self) -> TaskPrices {
        let number = |text: &str| text.parse().ok();
        let optional = |text: &Option<String>| text.as_deref().and_then(number);
        TaskPrices {
            date: self.date.clone(),
            region: self.region.clone(),
            x86_vcpu_hour: number(&self.x86_vcpu_hour),
            x86_gb_hour: number(&self.x86_gb_hour),
            arm_vcpu_hour: number(&self.arm_vcpu_hour),
            arm_gb_hour: number(&self.arm_gb_hour),
            x86_spot_vcpu_hour: number(&self.x86_spot_vcpu_hour),
            x86_spot_gb_hour: number(&self.x86_spot_gb_hour),
            arm_spot_vcpu_hour: optional(&self.arm_spot_vcpu_hour),
            arm_spot_gb_hour: optional(&self.arm_spot_gb_hour),
            disk_gb_hour: number(&self.disk_gb_hour),
            nat_per_gb: optional(&self.nat_per_gb),
            image_through_nat: self.image_through_nat,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_prices_that_the_estimates_know() {
        assert_eq!(PriceSettings::default().prices(), TaskPrices::default());
    }

    #[test]
    fn a_price_is_a_plain_number_of_dollars_and_a_date_a_day() {
        for right in ["0", "0.04048", "12", "1.5"] {
            assert!(check::price(right).is_ok(), "{right}");
        }
        for wrong in
            ["", "-1", "1e3", ".5", "1.", "$1", "inf", "NaN", "1,5", "0.123456789012345678"]
        {
            assert!(check::price(wrong).is_err(), "{wrong}");
        }
        assert!(check::day("2026-02-28").is_ok());
        for wrong in ["2026-13-01", "2026-00-10", "26-01-01", "2026-1-1", "2026-01-32", "today"] {
            assert!(check::day(wrong).is_err(), "{wrong}");
        }
    }
}
