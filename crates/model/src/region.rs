//! The partition of an AWS Region: ARNs and host names follow it.

/// A group of AWS Regions with its own accounts, ARNs and host names.
///
/// Source: AWS Reference Guide, "AWS partitions", and the SDKs' `partitions.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
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
}

impl Partition {
    /// The partition of `region`; a Region that is not known counts as commercial.
    #[must_use]
    pub fn of(region: &str) -> Self {
        match region {
            r if r.starts_with("cn-") => Self::China,
            r if r.starts_with("us-gov-") => Self::GovCloud,
            r if r.starts_with("eusc-") => Self::EuropeSovereign,
            r if r.starts_with("us-isob-") => Self::IsoB,
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Partition;

    #[test]
    fn each_region_has_the_names_of_its_partition() {
        let names = |region| {
            let partition = Partition::of(region);
            (partition.name(), partition.dns_suffix())
        };
        assert_eq!(names("eu-west-1"), ("aws", "amazonaws.com"));
        assert_eq!(names("cn-north-1"), ("aws-cn", "amazonaws.com.cn"));
        assert_eq!(names("us-gov-east-1"), ("aws-us-gov", "amazonaws.com"));
        assert_eq!(names("us-isob-east-1"), ("aws-iso-b", "sc2s.sgov.gov"));
    }
}
