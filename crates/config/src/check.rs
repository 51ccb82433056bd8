//! One value at a time: what it may be, and what is allowed instead.
//!
//! A check knows neither the key nor the file; `reader` adds both. Rules that need a second value
//! are in `conflicts`; values that are one of a few words are in `keyword`.

use fargate_model::id::TaskOwner;
use fargate_model::region::AwsPartition;
use fargate_model::text::escape_within;

/// Longest name of a cluster, family or container.
///
/// Source: Amazon ECS API Reference, `CreateCluster` and `RegisterTaskDefinition`.
const MAX_NAME: usize = 255;

/// Longest text of an image. Source: Amazon ECS API Reference, `ContainerDefinition`.
const MAX_IMAGE: usize = 255;

/// Longest host name. Source: RFC 1035.
const MAX_HOST: usize = 253;

/// Longest name of a secret. Source: AWS Secrets Manager API Reference, `CreateSecret`.
const MAX_SECRET_NAME: usize = 512;

/// Longest name of a log group. Source: Amazon `CloudWatch` Logs API Reference, `CreateLogGroup`.
const MAX_LOG_GROUP: usize = 512;

/// Longest name of a parameter. Source: AWS Systems Manager API Reference, `PutParameter`.
const MAX_PARAMETER_NAME: usize = 1011;

/// Longest name of a volume, and of the folder that holds volumes. Ours: with the hash of a project they
/// make the path of an access point, which has at most 100 characters.
///
/// Source of that limit: Amazon EFS API Reference, `RootDirectory`.
const MAX_VOLUME_NAME: usize = 32;
const MAX_VOLUME_FOLDER: usize = 30;

/// Variables that a task cannot do without, and those by which shells and the loader run other code or
/// print what they read.
const KEPT_VARIABLES: [&str; 10] = [
    "SSH_PUBLIC_KEY",
    "PATH",
    "HOME",
    "USER",
    "SHELL",
    "BASH_ENV",
    "ENV",
    "PS4",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
];

/// Most hexadecimal digits of an id of EC2. AWS makes 8 or 17 of them, emulators fewer.
const MAX_ID_DIGITS: usize = 17;

/// Longest login name. Source: Linux, `useradd(8)`.
const MAX_USER: usize = 32;

/// Longest path, in bytes. Source: Linux, `PATH_MAX` without its final NUL.
const MAX_PATH: usize = 4095;

/// Longest name of a profile; it is the value of a tag and part of file names.
const MAX_PROFILE_NAME: usize = 64;

/// Longest key and value of a tag, in characters. Source: Amazon ECS API Reference, `Tag`.
pub(crate) const MAX_TAG_KEY: usize = 128;
pub(crate) const MAX_TAG_VALUE: usize = 256;

/// What is allowed in place of a value, to follow `key ... is "x", `.
pub(crate) struct ValueRefusal {
    pub(crate) allowed: String,
    pub(crate) hint: Option<String>,
}

impl ValueRefusal {
    pub(crate) fn new(allowed: impl Into<String>) -> Self {
        Self { allowed: allowed.into(), hint: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

pub(crate) type CheckResult<T> = Result<T, ValueRefusal>;

/// What was given, harmless and short, in quotes.
pub(crate) fn quoted(given: &str) -> String {
    format!("\"{}\"", escape_within(given, 60))
}

pub(crate) fn owner(given: &str) -> CheckResult<String> {
    TaskOwner::try_from(given.to_owned()).map(String::from).map_err(|_| {
        let max = TaskOwner::MAX_LENGTH;
        ValueRefusal::new(format!("allowed are 1 to {max} ASCII letters, digits, `-`, `_` and `/`"))
    })
}

fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(allowed)
}

fn name_rule() -> String {
    format!("1 to {MAX_NAME} ASCII letters, digits, `-` and `_`")
}

pub(crate) fn container(given: &str) -> CheckResult<String> {
    let rule = || ValueRefusal::new(format!("allowed are {}", name_rule()));
    is_name(given).then(|| given.to_owned()).ok_or_else(rule)
}

pub(crate) fn profile_name(given: &str) -> CheckResult<String> {
    if is_name(given) && given.len() <= MAX_PROFILE_NAME {
        return Ok(given.to_owned());
    }
    let max = MAX_PROFILE_NAME;
    Err(ValueRefusal::new(format!("allowed are 1 to {max} ASCII letters, digits, `-` and `_`")))
}

/// The parts of an ARN: `arn:partition:service:region:account:resource`.
///
/// Source: AWS General Reference, "Amazon Resource Names".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResourceArn<'a> {
    service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    resource: &'a str,
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

/// The templates of task definitions that are part of the program.
const OWN_TEMPLATES: [&str; 2] = ["ci", "manager"];

pub(crate) fn template(given: &str) -> CheckResult<String> {
    if OWN_TEMPLATES.contains(&given) {
        return Ok(given.to_owned());
    }
    absolute_path(given).map_err(|_| {
        ValueRefusal::new("allowed are `ci`, `manager` and the absolute path of a file")
    })
}

/// The text of an image as ECS takes it. Whether it names an image is not asked here.
pub(crate) fn image(given: &str) -> CheckResult<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/@".contains(&b);
    let bounded = (1..=MAX_IMAGE).contains(&given.len());
    if bounded && given.bytes().all(allowed) {
        return Ok(given.to_owned());
    }
    let refusal = ValueRefusal::new(format!(
        "allowed are 1 to {MAX_IMAGE} ASCII letters, digits and `- _ . : / @`"
    ));
    Err(refusal.hint("such as `my-organisation/my-image:latest`"))
}

/// Where images are pushed: the text of an image without tag and digest.
pub(crate) fn repository(given: &str) -> CheckResult<String> {
    let refusal = || {
        ValueRefusal::new("a registry and a repository are expected, without tag and digest")
            .hint("such as `registry.example/team/ci`")
    };
    let text = image(given).map_err(|_| refusal())?;
    let name = text.rsplit('/').next().unwrap_or_default();
    let is_lower = !name.bytes().any(|b| b.is_ascii_uppercase());
    let is_right = !text.contains('@') && !name.contains(':') && !name.is_empty() && is_lower;
    if is_right && text.contains('/') { Ok(text) } else { Err(refusal()) }
}

/// A path below a folder.
pub(crate) fn relative_path(given: &str) -> CheckResult<String> {
    let is_below = !given.is_empty() && !given.starts_with('/');
    let leaves = given.split('/').any(|part| part == "..");
    match path(given) {
        Ok(path) if is_below && !leaves => Ok(path),
        _ => Err(ValueRefusal::new("a path inside the context is expected, without `..`")),
    }
}

/// `NAME=value` of a build argument.
pub(crate) fn build_argument(given: &str) -> CheckResult<String> {
    let name = given.split_once('=').map(|(name, _)| name);
    let is_name = |name: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        !name.is_empty() && name.bytes().all(allowed)
    };
    if name.is_some_and(is_name) && !given.contains(char::is_control) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new("`NAME=value` is expected").hint("such as `BASE=debian:bookworm-slim`"))
}

/// `ID=/path` of a build secret.
pub(crate) fn build_secret(given: &str) -> CheckResult<String> {
    let parts = given.split_once('=');
    let is_right =
        parts.is_some_and(|(id, file)| container(id).is_ok() && absolute_path(file).is_ok());
    if is_right {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new("`ID=/absolute/path/of/a/file` is expected"))
}

/// A file with a key, or a key of KMS.
pub(crate) fn signing_key(given: &str) -> CheckResult<String> {
    let is_kms = ResourceArn::parse(given).is_some_and(|arn| arn.service == "kms");
    if is_kms || absolute_path(given).is_ok() {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(
        "allowed are the absolute path of a PEM file and the ARN of a key of KMS",
    ))
}

/// Host and port of a registry, as an image names it.
pub(crate) fn registry(given: &str) -> CheckResult<String> {
    let (host, port) = match given.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (given, None),
    };
    let has_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
    if has_port && (1..=MAX_HOST).contains(&host.len()) && host.bytes().all(allowed) {
        return Ok(given.to_owned());
    }
    let refusal =
        ValueRefusal::new("a host name or address is expected, and a port where it has one");
    Err(refusal.hint("such as `registry.internal:5000`, without `https://`"))
}

pub(crate) fn secret(given: &str) -> CheckResult<String> {
    let name = |text: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/_+=.@-".contains(&b);
        (1..=MAX_SECRET_NAME).contains(&text.len()) && text.bytes().all(allowed)
    };
    let arn = ResourceArn::parse(given).filter(|arn| arn.service == "secretsmanager");
    let arn = arn.and_then(|arn| arn.resource.strip_prefix("secret:"));
    if name(given) || arn.is_some_and(name) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "allowed are the ARN of a secret, or its name of 1 to {MAX_SECRET_NAME} ASCII letters, digits \
         and `/ _ + = . @ -`"
    )))
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

pub(crate) fn file_system(given: &str) -> CheckResult<String> {
    let rule = || ValueRefusal::new("an id is expected: `fs-` and lower-case hexadecimal digits");
    is_id(given, "fs-").then(|| given.to_owned()).ok_or_else(rule)
}

/// The id of an access point, or `none`.
pub(crate) fn access_point(given: &str) -> CheckResult<String> {
    let rule = || {
        ValueRefusal::new(
            "an id is expected, `fsap-` and lower-case hexadecimal digits, or `none` for the root",
        )
    };
    (given == "none" || is_id(given, "fsap-")).then(|| given.to_owned()).ok_or_else(rule)
}

pub(crate) fn volume_name(given: &str) -> CheckResult<String> {
    if is_name(given) && given.len() <= MAX_VOLUME_NAME {
        return Ok(given.to_owned());
    }
    let max = MAX_VOLUME_NAME;
    Err(ValueRefusal::new(format!("allowed are 1 to {max} ASCII letters, digits, `-` and `_`")))
}

/// Where something is mounted inside a task.
pub(crate) fn mount_path(given: &str) -> CheckResult<String> {
    let path = absolute_path(given)?;
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    let is_root = parts.peek().is_none();
    if is_root || path.contains(':') || parts.any(|part| part == "." || part == "..") {
        let refusal = "an absolute path below `/` is expected, without `.`, `..` and `:`";
        return Err(ValueRefusal::new(refusal));
    }
    Ok(path)
}

/// One folder right below the root of a file system.
pub(crate) fn volume_folder(given: &str) -> CheckResult<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let name = given.strip_prefix('/').unwrap_or_default();
    let is_name = (1..=MAX_VOLUME_FOLDER).contains(&name.len()) && name.bytes().all(allowed);
    if is_name && name != "." && name != ".." {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "`/` and one name of 1 to {MAX_VOLUME_FOLDER} ASCII letters, digits and `- _ .` is expected"
    )))
}

/// The mode of a folder in octal digits. Source: Amazon EFS API Reference, `CreationInfo`.
pub(crate) fn folder_mode(given: &str) -> CheckResult<String> {
    let is_octal = given.bytes().all(|b| (b'0'..=b'7').contains(&b));
    if (3..=4).contains(&given.len()) && is_octal {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new("3 or 4 octal digits are expected").hint("such as `\"0750\"`"))
}

/// The name of a variable that may hold a secret for scripts.
pub(crate) fn secret_variable(given: &str) -> CheckResult<String> {
    let first = given.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let rest = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if !first || given.len() > MAX_NAME || !given.bytes().all(rest) {
        return Err(ValueRefusal::new(
            "the name of a variable is expected: a letter or `_`, then letters, digits and `_`",
        ));
    }
    let kept = given.starts_with("FARGATE_RUNNER_") || KEPT_VARIABLES.contains(&given);
    if kept {
        return Err(ValueRefusal::new("allowed is every name but those that a task needs itself"));
    }
    Ok(given.to_owned())
}

/// What ECS reads a secret from. Source: Amazon ECS API Reference, `Secret`, `valueFrom`.
pub(crate) fn secret_source(given: &str) -> CheckResult<String> {
    let parameter = |text: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-/".contains(&b);
        (1..=MAX_PARAMETER_NAME).contains(&text.len()) && text.bytes().all(allowed)
    };
    let is_arn = ResourceArn::parse(given).is_some_and(|arn| match arn.service {
        "ssm" => arn.resource.strip_prefix("parameter/").is_some_and(parameter),
        "secretsmanager" => arn.resource.strip_prefix("secret:").is_some_and(|rest| {
            let parts: Vec<&str> = rest.split(':').collect();
            matches!(parts.len(), 1 | 4) && secret(parts[0]).is_ok()
        }),
        _ => false,
    });
    if is_arn || parameter(given) {
        return Ok(given.to_owned());
    }
    let refusal = ValueRefusal::new(
        "allowed are the ARN of a secret, with `:json-key:version-stage:version-id` or nothing after \
         it, and the name or ARN of a parameter",
    );
    Err(refusal
        .hint("such as `arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-a1B2c3`"))
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

fn is_id(text: &str, prefix: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.strip_prefix(prefix)
        .is_some_and(|id| (1..=MAX_ID_DIGITS).contains(&id.len()) && id.bytes().all(hex))
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

pub(crate) fn user(given: &str) -> CheckResult<String> {
    let first = given.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let rest = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    if first && given.len() <= MAX_USER && given.bytes().all(rest) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "a login name is expected: a letter or `_`, then letters, digits, `_`, `.` and `-`, \
         {MAX_USER} in all"
    )))
}

/// Any path that the operating system takes, absolute or not.
pub(crate) fn path(given: &str) -> CheckResult<String> {
    if given.len() <= MAX_PATH && !given.contains(char::is_control) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "a path of at most {MAX_PATH} bytes without control characters is expected"
    )))
}

pub(crate) fn absolute_path(given: &str) -> CheckResult<String> {
    if given.starts_with('/') && given.len() <= MAX_PATH && !given.contains(char::is_control) {
        return Ok(given.to_owned());
    }
    let refusal = ValueRefusal::new("an absolute path is expected");
    Err(match given.chars().next() {
        None => refusal.hint("leave the key out for its default"),
        Some('~' | '$') => refusal.hint("`~` and variables are not expanded: write the path out"),
        Some('/') => {
            refusal.hint(format!("a path has at most {MAX_PATH} bytes and no control characters"))
        }
        Some(_) => refusal,
    })
}

/// The characters that ECS takes in tags: `[\p{L}\p{Z}\p{N}_.:/=+\-@]`.
///
/// Source: Amazon ECS API Reference, `Tag`. Combining vowel signs pass here although ECS may refuse
/// them; control characters never pass.
fn is_tag_text(text: &str) -> bool {
    let space = |c: char| c.is_whitespace() && !c.is_control();
    text.chars().all(|c| c.is_alphanumeric() || space(c) || "_.:/=+-@".contains(c))
}

pub(crate) fn tag_key(given: &str) -> CheckResult<String> {
    let lower = given.to_lowercase();
    for reserved in ["aws:", "fargate-runner:"] {
        if lower.starts_with(reserved) {
            return Err(ValueRefusal::new(format!(
                "a name that begins with `{reserved}` is reserved"
            )));
        }
    }
    if (1..=MAX_TAG_KEY).contains(&given.chars().count()) && is_tag_text(given) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "allowed are 1 to {MAX_TAG_KEY} letters, digits, spaces and `_ . : / = + - @`"
    )))
}

pub(crate) fn tag_value(given: &str) -> CheckResult<String> {
    if given.chars().count() <= MAX_TAG_VALUE && is_tag_text(given) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "allowed are up to {MAX_TAG_VALUE} letters, digits, spaces and `_ . : / = + - @`"
    )))
}
