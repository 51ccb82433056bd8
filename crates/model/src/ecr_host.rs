//! The host name of a private registry of ECR: whose registry it is, and in which Region.
//!
//! It knows naming rules only. It does not know whether the registry exists.

/// What the host name of a private registry of ECR says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcrHost<'a> {
    /// The account that has the registry.
    pub account: &'a str,
    /// The Region of the registry.
    pub region: &'a str,
}

impl<'a> EcrHost<'a> {
    /// Takes a host name apart; `None` for another registry.
    ///
    /// Source: Amazon ECR User Guide, "Amazon ECR private registries" and "Getting started with making requests
    /// over IPv6": names of IPv4 alone end with `amazonaws.com`, those of both kinds of addresses with `on.aws`.
    #[must_use]
    pub fn parse(host: &'a str) -> Option<Self> {
        let labels: Vec<&str> = host.split('.').collect();
        let (account, region) = match labels.as_slice() {
            [account, "dkr", "ecr" | "ecr-fips", region, "amazonaws", "com"]
            | [account, "dkr", "ecr" | "ecr-fips", region, "amazonaws", "com", "cn"]
            | [account, "dkr-ecr" | "dkr-ecr-fips", region, "on", "aws"] => (*account, *region),
            _ => return None,
        };
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        (is_account && !region.is_empty()).then_some(Self { account, region })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_the_name_has_account_and_region() {
        for (host, region) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"),
            ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("123456789012.dkr-ecr.eu-west-2.on.aws", "eu-west-2"),
            ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "us-east-1"),
        ] {
            assert_eq!(EcrHost::parse(host), Some(EcrHost { account: "123456789012", region }));
        }
    }

    #[test]
    fn another_registry_is_none_of_ecr() {
        for host in [
            "",
            "registry.example",
            "public.ecr.aws",
            "ci.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr..amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.example",
        ] {
            assert_eq!(EcrHost::parse(host), None, "{host}");
        }
    }
}
