//! How a request names a parameter: by its name or its ARN, with `:VERSION` after it where it wants one.
//!
//! Source, for what a name may be: AWS Systems Manager API Reference, `PutParameter`.

use fargate_model::region::AwsPartition;

use super::errors;
use crate::account::ACCOUNT;
use crate::wire::exception::ServiceException;

/// Characters of a name.
const MAX_NAME: usize = 1011;
/// Parts of a name between its slashes.
const MAX_LEVELS: usize = 15;

/// A parameter as a request names it.
#[derive(Debug, PartialEq, Eq)]
pub struct ParameterReference {
    /// Names that it may mean, the likelier first: an ARN does not tell `/a` from `a`.
    pub names: Vec<String>,
    pub version: Option<i64>,
}

impl ParameterReference {
    /// Reads a reference in a Region.
    pub fn parse(given: &str, region: &str) -> Result<Self, ServiceException> {
        let prefix = arn(region, "");
        let (rest, is_arn) = match given.strip_prefix(&prefix) {
            Some(rest) => (rest, true),
            None => (given, false),
        };
        let (name, version) = match rest.split_once(':') {
            Some((name, version)) => {
                let number = version.parse().map_err(|_| wrong_name())?;
                (name, Some(number))
            }
            None => (rest, None),
        };
        let names = match is_arn {
            true => vec![name.to_owned(), name.trim_start_matches('/').to_owned()],
            false => vec![name.to_owned()],
        };
        Ok(Self { names, version })
    }
}

/// The ARN of a parameter in this Region. A name without a slash at its beginning gets one.
pub fn arn(region: &str, name: &str) -> String {
    let partition = AwsPartition::of(region).name();
    let slash = if name.is_empty() || name.starts_with('/') { "" } else { "/" };
    format!("arn:{partition}:ssm:{region}:{ACCOUNT}:parameter{slash}{name}")
}

/// Checks the name of a parameter that is about to be written.
pub fn check_name(given: Option<&String>) -> Result<&str, ServiceException> {
    let name = given.map(String::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| errors::model("name", "not be null"))?;
    if name.len() > MAX_NAME {
        return Err(errors::validation("Parameter name: can't be longer than 1011 characters."));
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-/".contains(&b);
    if !name.bytes().all(allowed) {
        return Err(wrong_name());
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(errors::validation(
            "Parameter name must be a fully qualified name: it begins with a slash.",
        ));
    }
    if name.split('/').filter(|part| !part.is_empty()).count() > MAX_LEVELS {
        return Err(errors::validation("Parameter name: can't have more than 15 levels."));
    }
    let first = name.trim_start_matches('/').to_ascii_lowercase();
    if first.starts_with("aws") || first.starts_with("ssm") {
        return Err(errors::validation(
            "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).",
        ));
    }
    Ok(name)
}

fn wrong_name() -> ServiceException {
    errors::validation(
        "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can \
         consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, \
         numbers and the following 3 symbols .-_",
    )
}
