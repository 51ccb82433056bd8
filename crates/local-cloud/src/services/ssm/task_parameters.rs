//! What ECS does with the parameters that the `secrets` of a container name: it reads them as the task's
//! execution role, up to ten at a time, decrypted.
//!
//! Source, for words: the public source of the Amazon ECS agent (`agent/ssm/ssm.go`), and stopped reasons of
//! platform version 1.4.0 as public issue trackers quote them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::get_parameters::{GetParameters, MAX_NAMES};
use crate::cloud::CloudInstance;
use crate::services::own_call::{OwnCallFailure, call, told};
use crate::services::secrets_manager::registry_login::ExecutionSession;

/// Why ECS has no values; the text stands in the task's stopped reason.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum TaskParametersError {
    Call(OwnCallFailure),
    /// These do not exist.
    Invalid(Vec<String>),
}

impl fmt::Display for TaskParametersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource \
             retrieval failed: unable to retrieve secrets from ssm: service call has been retried ",
        )?;
        match self {
            Self::Call(OwnCallFailure::Refused(refusal)) => {
                write!(f, "1 time(s): {}", told(refusal))
            }
            Self::Call(OwnCallFailure::NoAnswer) => f.write_str(
                "5 time(s): RequestCanceled: request context canceled caused by: context deadline exceeded",
            ),
            Self::Invalid(names) => write!(f, "1 time(s): invalid parameters: {}", names.join(",")),
        }
    }
}

/// The value of each of these names or ARNs, as this session may read them.
pub(crate) fn read_parameters(
    cloud: &Arc<CloudInstance>,
    session: &ExecutionSession<'_>,
    references: &[String],
) -> Result<BTreeMap<String, Zeroizing<String>>, TaskParametersError> {
    let mut by_region: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for reference in references {
        by_region.entry(region_of(reference, session.region)).or_default().push(reference);
    }
    let mut values = BTreeMap::new();
    for (region, names) in by_region {
        for some in names.chunks(MAX_NAMES) {
            read_some(cloud, session, region, some, &mut values)?;
        }
    }
    Ok(values)
}

fn read_some(
    cloud: &Arc<CloudInstance>,
    session: &ExecutionSession<'_>,
    region: &str,
    names: &[&String],
    values: &mut BTreeMap<String, Zeroizing<String>>,
) -> Result<(), TaskParametersError> {
    let request = GetParameters {
        names: Some(names.iter().copied().cloned().collect()),
        with_decryption: Some(true),
    };
    let answer = call(cloud, session, "GetParameters", region, request)
        .map_err(TaskParametersError::Call)?;
    let invalid: Vec<String> = answer["InvalidParameters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    if !invalid.is_empty() {
        return Err(TaskParametersError::Invalid(invalid));
    }
    // All were found, so they are in the order of the request.
    for (name, parameter) in names.iter().zip(answer["Parameters"].as_array().into_iter().flatten())
    {
        let value = parameter["Value"].as_str().unwrap_or_default().to_owned();
        values.insert((*name).clone(), Zeroizing::new(value));
    }
    Ok(())
}

/// The Region that an ARN names; `own` for a name.
fn region_of<'a>(reference: &'a str, own: &'a str) -> &'a str {
    let mut parts = reference.split(':');
    match (parts.next(), parts.nth(2)) {
        (Some("arn"), Some(region)) if !region.is_empty() => region,
        _ => own,
    }
}
