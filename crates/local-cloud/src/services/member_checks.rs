//! Checks that the members of many JSON requests share.

use crate::wire::exception::ServiceException;

/// A member that must be there and not empty.
pub fn required<'a>(value: Option<&'a String>, name: &str) -> Result<&'a str, ServiceException> {
    match value {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(ServiceException::parameter(format!("{name} can not be blank."))),
    }
}

/// Whether a request's `include` names `word`; a word that is not in `known` is refused.
pub fn includes(
    include: Option<&[String]>,
    known: &[&str],
    word: &str,
) -> Result<bool, ServiceException> {
    let include = include.unwrap_or_default();
    if let Some(wrong) = include.iter().find(|given| !known.contains(&given.as_str())) {
        return Err(ServiceException::parameter(format!(
            "'{wrong}' is not a valid value for include; valid: {}",
            known.join(", ")
        )));
    }
    Ok(include.iter().any(|given| given == word))
}
