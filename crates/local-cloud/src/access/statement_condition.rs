//! The conditions of a statement.

use serde_json::Value;

use super::access_question::AccessQuestion;
use super::identity_policy::texts;
use super::policy_error::IdentityPolicyError;
use super::text_pattern::fits;

/// The parts of an ARN. Source: AWS General Reference, "Amazon Resource Names".
const ARN_PARTS: usize = 6;

/// One condition: a key, how it is compared, and with what.
#[derive(Clone, Debug)]
pub struct StatementCondition {
    operator: TextComparison,
    is_negated: bool,
    /// A question without a value of the key meets the condition.
    if_exists: bool,
    set: SetQuantifier,
    key: String,
    values: Vec<String>,
}

/// How one value is compared with one of the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextComparison {
    Equal,
    SameWord,
    Like,
    /// Part by part, each with its own wildcards.
    LikeArn,
    /// `true` means that the key has no value.
    IsNull,
}

/// What holds for a key with several values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SetQuantifier {
    Single,
    AllValues,
    AnyValue,
}

impl StatementCondition {
    /// The conditions of a statement.
    pub fn read_all(given: Option<&Value>) -> Result<Vec<Self>, IdentityPolicyError> {
        let Some(given) = given else { return Ok(Vec::new()) };
        let missing = || IdentityPolicyError::Missing("Condition");
        let mut conditions = Vec::new();
        for (operator, keys) in given.as_object().ok_or_else(missing)? {
            for (key, values) in keys.as_object().ok_or_else(missing)? {
                conditions.push(Self::read(operator, key, texts(values, "Condition")?)?);
            }
        }
        Ok(conditions)
    }

    fn read(operator: &str, key: &str, values: Vec<String>) -> Result<Self, IdentityPolicyError> {
        let (set, name) = match operator.split_once(':') {
            None => (SetQuantifier::Single, operator),
            Some(("ForAllValues", name)) => (SetQuantifier::AllValues, name),
            Some(("ForAnyValue", name)) => (SetQuantifier::AnyValue, name),
            Some(_) => return Err(not_evaluated(operator)),
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (operator, is_negated) = match name {
            "Bool" | "StringEqualsIgnoreCase" => (TextComparison::SameWord, false),
            "StringNotEqualsIgnoreCase" => (TextComparison::SameWord, true),
            "StringEquals" => (TextComparison::Equal, false),
            "StringNotEquals" => (TextComparison::Equal, true),
            "StringLike" => (TextComparison::Like, false),
            "StringNotLike" => (TextComparison::Like, true),
            "ArnEquals" | "ArnLike" => (TextComparison::LikeArn, false),
            "ArnNotEquals" | "ArnNotLike" => (TextComparison::LikeArn, true),
            "Null" => (TextComparison::IsNull, false),
            _ => return Err(not_evaluated(operator)),
        };
        Ok(Self { operator, is_negated, if_exists, set, key: key.to_owned(), values })
    }

    /// Whether the circumstances of the question meet it.
    pub fn holds(&self, question: &AccessQuestion) -> bool {
        let found = question.values(&self.key);
        if self.operator == TextComparison::IsNull {
            let wanted = self.values.iter().any(|value| value.eq_ignore_ascii_case("true"));
            return found.is_empty() == wanted;
        }
        let meets = |value: &String| {
            self.values.iter().any(|own| self.operator.fits(own, value)) != self.is_negated
        };
        match self.set {
            // All values of none: this is why AWS warns of the operator.
            SetQuantifier::AllValues => found.iter().all(meets),
            // A key without a value meets a negated condition.
            _ if found.is_empty() => self.if_exists || self.is_negated,
            SetQuantifier::AnyValue => found.iter().any(meets),
            SetQuantifier::Single => found.iter().all(meets),
        }
    }
}

impl TextComparison {
    fn fits(self, own: &str, found: &str) -> bool {
        match self {
            Self::Equal => own == found,
            Self::SameWord => own.eq_ignore_ascii_case(found),
            Self::Like => fits(own, found),
            Self::LikeArn => {
                let parts = |arn| str::splitn(arn, ARN_PARTS, ':').collect::<Vec<_>>();
                let (own, found) = (parts(own), parts(found));
                own.len() == found.len() && own.iter().zip(&found).all(|(own, one)| fits(own, one))
            }
            Self::IsNull => false,
        }
    }
}

fn not_evaluated(operator: &str) -> IdentityPolicyError {
    IdentityPolicyError::NotEvaluated(format!("the operator {operator}"))
}
