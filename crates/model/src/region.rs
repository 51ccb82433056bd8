//! The partition of an AWS Region, and the host names and ARNs that follow from it.
//!
//! It knows naming rules only. It does not know whether a Region exists or offers a service.

/// A group of AWS Regions with its own accounts, ARNs and host names.
///
/// Source: AWS Reference Guide, "AWS partitions", and the SDKs' `partitions.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsPartition {
    /// The commercial Regions.
    Aws,
    /// Beijing and Ningxia.
    China,
    /// GovCloud (US).
    GovCloud,
    /// The European Sovereign Cloud.
    EuropeSovereign,
    /// The isolated Regions `us-iso-*`.
    Iso,
    /// The isolated Regions `us-isob-*`.
    IsoB,
    /// The isolated Regions `eu-isoe-*`.
    IsoE,
    /// The isolated Regions `us-isof-*`.
    IsoF,
}

impl AwsPartition {
    /// The partition of `region`. An unknown Region counts as commercial.
    #[must_use]
    pub fn of(region: &str) -> Self {
        match region {
            r if r.starts_with("cn-") => Self::China,
            r if r.starts_with("us-gov-") => Self::GovCloud,
            r if r.starts_with("eusc-") => Self::EuropeSovereign,
            r if r.starts_with("us-isob-") => Self::IsoB,
            r if r.starts_with("us-isof-") => Self::IsoF,
            r if r.starts_with("eu-isoe-") => Self::IsoE,
            r if r.starts_with("us-iso-") => Self::Iso,
            _ => Self::Aws,
        }
    }

    /// The second field of an ARN.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::GovCloud => "aws-us-gov",
            Self::EuropeSovereign => "aws-eusc",
            Self::Iso => "aws-iso",
            Self::IsoB => "aws-iso-b",
            Self::IsoE => "aws-iso-e",
            Self::IsoF => "aws-iso-f",
        }
    }

    /// The end of the host names, without a leading dot.
    #[must_use]
    pub fn dns_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::GovCloud => "amazonaws.com",
            Self::China => "amazonaws.com.cn",
            Self::EuropeSovereign => "amazonaws.eu",
            Self::Iso => "c2s.ic.gov",
            Self::IsoB => "sc2s.sgov.gov",
            Self::IsoE => "cloud.adc-e.uk",
            Self::IsoF => "csp.hci.ic.gov",
        }
    }

    /// The end of the host names that answer over IPv4 and IPv6, without a leading dot.
    #[must_use]
    pub fn dual_stack_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::GovCloud => "api.aws",
            Self::China => "api.amazonwebservices.com.cn",
            Self::EuropeSovereign => "api.amazonwebservices.eu",
            Self::Iso => "api.aws.ic.gov",
            Self::IsoB => "api.aws.scloud",
            Self::IsoE => "api.cloud-aws.adc-e.uk",
            Self::IsoF => "api.aws.hci.ic.gov",
        }
    }
}

/// The endpoint of a service in a Region, as `https://HOST`.
///
/// `service` is the first word of the host name. `fips` and `dual_stack` are the variants that the
/// SDKs also offer.
///
/// Source: the endpoint rules of ECS and EC2 in the SDKs.
#[must_use]
pub fn endpoint(service: &str, region: &str, fips: bool, dual_stack: bool) -> String {
    let partition = AwsPartition::of(region);
    let suffix = if dual_stack { partition.dual_stack_suffix() } else { partition.dns_suffix() };
    // In GovCloud, EC2 has only one name, and that one is already validated for FIPS.
    let named_so = partition == AwsPartition::GovCloud && service == "ec2" && !dual_stack;
    let fips = if fips && !named_so { "-fips" } else { "" };
    format!("https://{service}{fips}.{region}.{suffix}")
}

#[cfg(test)]
mod tests {
    use super::{AwsPartition, endpoint};

    #[test]
    fn each_region_has_the_names_of_its_partition() {
        let names = |region| {
            let partition = AwsPartition::of(region);
            (partition.name(), partition.dns_suffix())
        };
        assert_eq!(names("eu-west-1"), ("aws", "amazonaws.com"));
        assert_eq!(names("cn-north-1"), ("aws-cn", "amazonaws.com.cn"));
        assert_eq!(names("us-gov-east-1"), ("aws-us-gov", "amazonaws.com"));
        assert_eq!(names("us-isob-east-1"), ("aws-iso-b", "sc2s.sgov.gov"));
        assert_eq!(names("us-iso-west-1"), ("aws-iso", "c2s.ic.gov"));
        assert_eq!(names("eu-isoe-west-1"), ("aws-iso-e", "cloud.adc-e.uk"));
        assert_eq!(names("us-isof-south-1"), ("aws-iso-f", "csp.hci.ic.gov"));
        assert_eq!(names("eusc-de-east-1"), ("aws-eusc", "amazonaws.eu"));
    }

    #[test]
    fn an_endpoint_follows_partition_and_variant() {
        let cases = [
            (("ecs", "eu-west-1", false, false), "https://ecs.eu-west-1.amazonaws.com"),
            (("ecs", "eu-west-1", false, true), "https://ecs.eu-west-1.api.aws"),
            (("ecs", "us-east-1", true, false), "https://ecs-fips.us-east-1.amazonaws.com"),
            (("ecs", "cn-north-1", false, false), "https://ecs.cn-north-1.amazonaws.com.cn"),
            (
                ("ec2", "cn-northwest-1", false, true),
                "https://ec2.cn-northwest-1.api.amazonwebservices.com.cn",
            ),
            (("ecs", "us-gov-west-1", true, false), "https://ecs-fips.us-gov-west-1.amazonaws.com"),
            (("ec2", "us-gov-west-1", true, false), "https://ec2.us-gov-west-1.amazonaws.com"),
        ];
        for ((service, region, fips, dual_stack), expected) in cases {
            assert_eq!(endpoint(service, region, fips, dual_stack), expected);
        }
    }
}
