//! Names and ARNs of AWS: Regions, clusters, task definitions, networks, log groups, topics.

use fargate_model::region::AwsPartition;

use super::value_refusal::{CheckResult, ValueRefusal};

/// Longest name of a cluster, family or container.
///
/// Source: Amazon ECS API Reference, `CreateCluster` and `RegisterTaskDefinition`.
pub(super) const MAX_NAME: usize = 255;

/// Longest name of a log group. Source: Amazon `CloudWatch` Logs API Reference, `CreateLogGroup`.
const MAX_LOG_GROUP: usize = 512;

/// Most hexadecimal digits of an id of EC2. AWS makes 8 or 17 of them, emulators fewer.
const MAX_ID_DIGITS: usize = 17;

pub(super) fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(allowed)
}

pub(super) fn name_rule() -> String {
    format!("1 to {MAX_NAME} ASCII letters, digits, `-` and `_`")
}

/// The parts of an ARN: `arn:partition:service:region:account:resource`.
///
/// Source: AWS General Reference, "Amazon Resource Names".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResourceArn<'a> {
    pub(super) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(super) resource: &'a str,
}

impl<'a> ResourceArn<'a> {
    /// `None` unless every part has the right form and the partition is that of the Region.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
        let (partition, service, region) = (parts.next()?, parts.next()?, parts.next()?);
        let (account, resource) = (parts.next()?, parts.next()?);
        let fits = is_region(region)
            && partition == AwsPartition::of(region).name()
            && account.len() == 12
            && account.bytes().all(|b| b.is_ascii_digit());
        fits.then_some(Self { service, region, account, resource })
    }

    /// The same, for an ARN of ECS.
    pub(crate) fn of_ecs(text: &'a str) -> Option<Self> {
        Self::parse(text).filter(|arn| arn.service == "ecs")
    }
}

fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    let word = |part: &&str| (2..=16).contains(&part.len()) && is_lower(part);
    (2..=4).contains(&words.len())
        && words.iter().all(word)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

fn is_lower(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase())
}

pub(crate) fn region(given: &str) -> CheckResult<String> {
    if is_region(given) {
        return Ok(given.to_owned());
    }
    let refusal = ValueRefusal::new("a Region such as `eu-west-1` is expected");
    let zone = given.strip_suffix(|c: char| c.is_ascii_lowercase()).filter(|r| is_region(r));
    Err(match zone {
        Some(region) => refusal.hint(format!("an availability zone is in Region `{region}`")),
        None => refusal.hint("leave it out to let `AWS_REGION` decide"),
    })
}

pub(super) fn is_id(text: &str, prefix: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.strip_prefix(prefix)
        .is_some_and(|id| (1..=MAX_ID_DIGITS).contains(&id.len()) && id.bytes().all(hex))
}

pub(crate) fn cluster(given: &str) -> CheckResult<String> {
    let arn = || {
        ResourceArn::of_ecs(given)
            .is_some_and(|a| a.resource.strip_prefix("cluster/").is_some_and(is_name))
    };
    if is_name(given) || arn() {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "allowed are a name of {}, or the ARN of a cluster",
        name_rule()
    )))
}

pub(crate) fn task_definition(given: &str) -> CheckResult<String> {
    let family = |text: &str| match text.split_once(':') {
        None => is_name(text),
        Some((name, revision)) => {
            let digits = revision.bytes().all(|b| b.is_ascii_digit());
            is_name(name) && digits && revision.parse::<i32>().is_ok_and(|n| n > 0)
        }
    };
    let arn = || {
        let resource = ResourceArn::of_ecs(given).map(|arn| arn.resource);
        resource.and_then(|r| r.strip_prefix("task-definition/")).is_some_and(family)
    };
    if family(given) || arn() {
        return Ok(given.to_owned());
    }
    let refusal = "allowed are `family`, `family:revision` or the ARN of a task definition";
    Err(ValueRefusal::new(refusal).hint(format!("a family has {}", name_rule())))
}

pub(crate) fn family(given: &str) -> CheckResult<String> {
    if is_name(given) {
        return Ok(given.to_owned());
    }
    let refusal = ValueRefusal::new(format!("allowed are {}", name_rule()));
    Err(match task_definition(given) {
        Ok(_) => refusal.hint("a family is written without its revision"),
        Err(_) => refusal,
    })
}

pub(crate) fn container(given: &str) -> CheckResult<String> {
    let rule = || ValueRefusal::new(format!("allowed are {}", name_rule()));
    is_name(given).then(|| given.to_owned()).ok_or_else(rule)
}

pub(crate) fn platform_version(given: &str) -> CheckResult<String> {
    let number =
        |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = given.split('.').collect();
    if given == "LATEST" || (parts.len() == 3 && parts.into_iter().all(number)) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new("allowed are `LATEST` and a version such as `1.4.0`"))
}

pub(crate) fn provider(given: &str) -> CheckResult<String> {
    if matches!(given, "FARGATE" | "FARGATE_SPOT") {
        return Ok(given.to_owned());
    }
    let refusal = ValueRefusal::new("allowed are `FARGATE`, `FARGATE_SPOT`");
    Err(refusal
        .hint("tasks run on Fargate only: on shared instances jobs could take each other's roles"))
}

pub(crate) fn subnet(given: &str) -> CheckResult<String> {
    let rule =
        || ValueRefusal::new("an id is expected: `subnet-` and lower-case hexadecimal digits");
    is_id(given, "subnet-").then(|| given.to_owned()).ok_or_else(rule)
}

pub(crate) fn security_group(given: &str) -> CheckResult<String> {
    let rule = || ValueRefusal::new("an id is expected: `sg-` and lower-case hexadecimal digits");
    is_id(given, "sg-").then(|| given.to_owned()).ok_or_else(rule)
}

pub(crate) fn log_group(given: &str) -> CheckResult<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-/#".contains(&b);
    if (1..=MAX_LOG_GROUP).contains(&given.len()) && given.bytes().all(allowed) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "allowed are 1 to {MAX_LOG_GROUP} ASCII letters, digits and `. _ - / #`"
    )))
}

/// The ARN of a topic. Source: Amazon SNS API Reference, `CreateTopic`, for its name.
pub(crate) fn sns_topic(given: &str) -> CheckResult<String> {
    let is_topic = ResourceArn::parse(given).is_some_and(|arn| {
        let name = arn.resource.strip_suffix(".fifo").unwrap_or(arn.resource);
        arn.service == "sns" && is_name(name)
    });
    match is_topic {
        true => Ok(given.to_owned()),
        false => Err(ValueRefusal::new("the ARN of an SNS topic is expected")
            .hint("such as `arn:aws:sns:eu-west-1:123456789012:ci-alarms`")),
    }
}
