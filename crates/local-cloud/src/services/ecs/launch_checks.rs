//! What ECS refuses in a RunTask before it looks at any resource.
//!
//! Source, for each limit: Amazon ECS API Reference, `RunTask`.

use crate::services::ecs::shape::run_task::RunTask;
use crate::services::ecs::state::client_token::MAX_TOKEN;
use crate::wire::exception::ServiceException;
use crate::wire::member::ShapeMember;

/// Tasks of one call.
const COUNT: std::ops::RangeInclusive<i32> = 1..=10;
/// Characters of all overrides together, with the JSON around them.
const MAX_OVERRIDES: usize = 8192;
/// Characters of `startedBy`.
const MAX_STARTED_BY: usize = 128;
/// Characters of `group`.
const MAX_GROUP: usize = 255;

/// Checks a request without any resource.
pub fn check(request: &RunTask) -> Result<(), ServiceException> {
    if !COUNT.contains(&request.count.unwrap_or(1)) {
        return Err(ServiceException::parameter(format!(
            "count must be between {} and {}.",
            COUNT.start(),
            COUNT.end()
        )));
    }
    if request.launch_type.is_some() && request.capacity_provider_strategy.is_some() {
        return Err(ServiceException::parameter(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove \
             one and try again.",
        ));
    }
    check_started_by(request.started_by.as_deref())?;
    check_token(request.client_token.as_deref())?;
    if request.group.as_ref().is_some_and(|group| group.chars().count() > MAX_GROUP) {
        return Err(ServiceException::parameter(format!(
            "group must be at most {MAX_GROUP} characters long."
        )));
    }
    match request.propagate_tags.as_deref() {
        None | Some("TASK_DEFINITION" | "NONE") => {}
        Some("SERVICE") => {
            return Err(ServiceException::parameter(
                "Tasks that are not part of a service cannot propagate tags from a service.",
            ));
        }
        Some(_) => {
            return Err(ServiceException::parameter(
                "propagateTags must be TASK_DEFINITION or NONE.",
            ));
        }
    }
    let length = request.overrides.as_ref().map_or(0, |o| o.write().to_string().chars().count());
    if length > MAX_OVERRIDES {
        return Err(ServiceException::parameter(format!(
            "Container Overrides length must be at most {MAX_OVERRIDES}"
        )));
    }
    if request.volume_configurations.as_ref().is_some_and(|volumes| !volumes.is_empty()) {
        return Err(ServiceException::new(
            "UnsupportedFeatureException",
            "This local cloud attaches no EBS volumes.",
        ));
    }
    Ok(())
}

fn check_started_by(started_by: Option<&str>) -> Result<(), ServiceException> {
    let Some(text) = started_by else { return Ok(()) };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_/".contains(&b);
    if text.len() > MAX_STARTED_BY || !text.bytes().all(allowed) {
        return Err(ServiceException::parameter(format!(
            "startedBy can have at most {MAX_STARTED_BY} letters, numbers, hyphens, underscores \
             and slashes."
        )));
    }
    Ok(())
}

fn check_token(token: Option<&str>) -> Result<(), ServiceException> {
    let Some(text) = token else { return Ok(()) };
    if text.is_empty() || text.len() > MAX_TOKEN || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(ServiceException::parameter(format!(
            "clientToken must have 1 to {MAX_TOKEN} printable ASCII characters."
        )));
    }
    Ok(())
}
