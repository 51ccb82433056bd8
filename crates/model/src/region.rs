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

/// The endpoint of IAM for a Region, and the Region of its signatures: IAM has one endpoint for all Regions
/// of a partition. `fips` counts where IAM has such a name.
///
/// Source: the endpoint rules of IAM in the SDKs.
#[must_use]
pub fn iam_endpoint(region: &str, fips: bool) -> (String, &'static str) {
    let partition = AwsPartition::of(region);
    let (host, signing_region) = match partition {
        AwsPartition::Aws if fips => ("iam-fips", "us-east-1"),
        AwsPartition::Aws => ("iam", "us-east-1"),
        AwsPartition::China => ("iam.cn-north-1", "cn-north-1"),
        AwsPartition::GovCloud => ("iam.us-gov", "us-gov-west-1"),
        AwsPartition::EuropeSovereign => ("iam.eusc-de-east-1", "eusc-de-east-1"),
        AwsPartition::Iso => ("iam.us-iso-east-1", "us-iso-east-1"),
        AwsPartition::IsoB => ("iam.us-isob-east-1", "us-isob-east-1"),
        AwsPartition::IsoE => ("iam.eu-isoe-west-1", "eu-isoe-west-1"),
        AwsPartition::IsoF => ("iam.us-isof-south-1", "us-isof-south-1"),
    };
    (format!("https://{host}.{}", partition.dns_suffix()), signing_region)
}

#[cfg(test)]
mod tests {
    use super::{AwsPartition, endpoint, iam_endpoint};

    #[test]
    fn iam_has_one_endpoint_for_a_partition() {
        let of = |region| iam_endpoint(region, false);
        assert_eq!(of("eu-west-1"), ("https://iam.amazonaws.com".to_owned(), "us-east-1"));
        let china = "https://iam.cn-north-1.amazonaws.com.cn".to_owned();
        assert_eq!(of("cn-northwest-1"), (china, "cn-north-1"));
        let gov = "https://iam.us-gov.amazonaws.com".to_owned();
        assert_eq!(of("us-gov-east-1"), (gov, "us-gov-west-1"));
        assert_eq!(iam_endpoint("eu-west-1", true).0, "https://iam-fips.amazonaws.com");
    }

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
