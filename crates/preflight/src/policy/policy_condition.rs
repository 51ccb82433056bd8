//! The conditions of a statement: whether they hold for what is known about a call.

use crate::policy::policy_pattern::fits_pattern;

/// Whether something holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConditionAnswer {
    /// It does.
    Holds,
    /// It does not.
    Fails,
    /// Nobody can tell, for this reason.
    Unclear(String),
}

/// Whether all conditions hold. `context` has the keys of the call with their values; a key that is not in
/// it is not known.
pub(crate) fn conditions_hold(
    conditions: &[(String, String, Vec<String>)],
    context: &[(&str, &str)],
) -> ConditionAnswer {
    let mut unclear = None;
    for (operator, key, wanted) in conditions {
        match holds(operator, key, wanted, context) {
            ConditionAnswer::Holds => {}
            ConditionAnswer::Fails => return ConditionAnswer::Fails,
            ConditionAnswer::Unclear(why) => unclear = Some(why),
        }
    }
    unclear.map_or(ConditionAnswer::Holds, ConditionAnswer::Unclear)
}

fn holds(
    operator: &str,
    key: &str,
    wanted: &[String],
    context: &[(&str, &str)],
) -> ConditionAnswer {
    let operator = operator.strip_suffix("IfExists").unwrap_or(operator);
    let known = context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
    let Some((_, value)) = known else {
        return ConditionAnswer::Unclear(format!("it depends on `{key}`"));
    };
    if wanted.iter().any(|text| text.contains("${")) {
        return ConditionAnswer::Unclear(format!("`{key}` is compared with a variable"));
    }
    let equal = || wanted.iter().any(|text| text == value);
    let equal_in_any_case = || wanted.iter().any(|text| text.eq_ignore_ascii_case(value));
    let like = || wanted.iter().any(|text| fits_pattern(text, value));
    let is = match operator {
        "StringEquals" => equal(),
        "StringNotEquals" => !equal(),
        "StringEqualsIgnoreCase" | "Bool" => equal_in_any_case(),
        "StringNotEqualsIgnoreCase" => !equal_in_any_case(),
        "StringLike" | "ArnEquals" | "ArnLike" => like(),
        "StringNotLike" | "ArnNotEquals" | "ArnNotLike" => !like(),
        // The key is there.
        "Null" => wanted.iter().any(|text| text == "false"),
        other => {
            return ConditionAnswer::Unclear(format!("the operator `{other}` is not known here"));
        }
    };
    if is { ConditionAnswer::Holds } else { ConditionAnswer::Fails }
}
