//! Writes and takes apart ARNs. It does not check whether anything exists.

use fargate_model::ecr_host::EcrHost;
use fargate_model::region::AwsPartition;

/// The parts of an ARN that name a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArnPlace {
    pub partition: String,
    pub region: String,
    pub account: String,
}

impl ArnPlace {
    /// A Region of an account.
    pub fn new(region: &str, account: &str) -> Self {
        let partition = AwsPartition::of(region).name().to_owned();
        Self { partition, region: region.to_owned(), account: account.to_owned() }
    }

    /// The ARN of a resource of a service in this place.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let Self { partition, region, account } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    /// The ARN of a resource of IAM, which has no Region.
    pub fn iam_arn(&self, resource: &str) -> String {
        let Self { partition, account, .. } = self;
        format!("arn:{partition}:iam::{account}:{resource}")
    }
}

/// The account in an ARN; `None` for another text.
pub(crate) fn account_of(text: &str) -> Option<&str> {
    let account = text.strip_prefix("arn:")?.split(':').nth(3)?;
    (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())).then_some(account)
}

/// What follows the account in an ARN; the whole text where it is none.
pub(crate) fn resource_of(text: &str) -> &str {
    match text.starts_with("arn:") {
        true => text.splitn(6, ':').nth(5).unwrap_or(text),
        false => text,
    }
}

/// The ARN of the repository, if an image or a repository is one of ECR.
pub(crate) fn ecr_repository(image: &str) -> Option<String> {
    let (host, rest) = image.split_once('/')?;
    let EcrHost { account, region } = EcrHost::parse(host)?;
    let name = rest.split(['@', ':']).next().filter(|name| !name.is_empty())?;
    Some(ArnPlace::new(region, account).arn("ecr", &format!("repository/{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_ecr_names_account_region_and_repository() {
        let arn = "arn:aws:ecr:eu-west-1:123456789012:repository/team/ci";
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        for image in ["team/ci", "team/ci:1", "team/ci@sha256:00", "team/ci:1@sha256:00"] {
            assert_eq!(ecr_repository(&format!("{host}/{image}")).as_deref(), Some(arn));
        }
        let dual_stack = "123456789012.dkr-ecr.eu-west-1.on.aws/team/ci:1";
        assert_eq!(ecr_repository(dual_stack).as_deref(), Some(arn));
        for image in ["registry.example/team/ci:1", "team/ci", "ci"] {
            assert_eq!(ecr_repository(image), None, "{image}");
        }
    }

    #[test]
    fn the_account_and_the_resource_of_an_arn_are_found() {
        let arn = "arn:aws:iam::123456789012:role/teams/ci";
        assert_eq!((account_of(arn), resource_of(arn)), (Some("123456789012"), "role/teams/ci"));
        assert_eq!((account_of("ci"), resource_of("ci")), (None, "ci"));
    }
}
