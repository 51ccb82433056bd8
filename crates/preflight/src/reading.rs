//! One thing that AWS was asked for: known, forbidden, or not read for another reason.
//!
//! Checks take what is known, and say "unknown" for the rest. There is no default that looks like an
//! answer.

use fargate_aws::CallError;

use crate::check_finding::CheckFinding;

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsReading<T> {
    /// The answer.
    Known(T),
    /// AWS refused the question.
    NotAllowed {
        /// The right that the question needs, for example `ec2:DescribeSubnets`.
        right: String,
        /// What AWS said.
        error: String,
    },
    /// Nobody knows.
    NotRead {
        /// The reason.
        why: String,
    },
}

impl<T> Default for AwsReading<T> {
    fn default() -> Self {
        Self::NotRead { why: "it was not asked for".to_owned() }
    }
}

/// The names by which AWS services say that a caller lacks a right.
///
/// Source: the common errors of the API references of EC2, ECS, EFS, IAM, Secrets Manager and STS.
const REFUSALS: [&str; 4] =
    ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"];

impl<T> AwsReading<T> {
    /// What a call gave.
    pub fn of(right: &str, answer: Result<T, CallError>) -> Self {
        match answer {
            Ok(value) => Self::Known(value),
            Err(error) if is_refusal(&error) => {
                Self::NotAllowed { right: right.to_owned(), error: error.to_string() }
            }
            Err(error) => Self::NotRead { why: format!("{right}: {error}") },
        }
    }

    /// The answer, if there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::NotAllowed { .. } | Self::NotRead { .. } => None,
        }
    }

    /// The answer, or what a check says without it. `subject` is what is not known: "the route tables".
    ///
    /// # Errors
    ///
    /// Returns the finding if there is no answer.
    pub fn or_unknown(&self, subject: &str) -> Result<&T, CheckFinding> {
        match self {
            Self::Known(value) => Ok(value),
            Self::NotAllowed { right, error } => {
                Err(CheckFinding::not_allowed(subject, right, error))
            }
            Self::NotRead { why } => Err(CheckFinding::unknown(format!("{subject}: {why}"))),
        }
    }

    /// The same reading of something made from the answer.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> AwsReading<U> {
        match self {
            Self::Known(value) => AwsReading::Known(make(value)),
            Self::NotAllowed { right, error } => AwsReading::NotAllowed { right, error },
            Self::NotRead { why } => AwsReading::NotRead { why },
        }
    }

    /// Why there is no answer, as a reading of something else; `None` if there is one.
    pub fn failed<U>(&self) -> Option<AwsReading<U>> {
        match self {
            Self::Known(_) => None,
            Self::NotAllowed { right, error } => {
                Some(AwsReading::NotAllowed { right: right.clone(), error: error.clone() })
            }
            Self::NotRead { why } => Some(AwsReading::NotRead { why: why.clone() }),
        }
    }
}

/// Whether the service says that the caller lacks a right, whatever the error is wrapped in.
fn is_refusal(error: &CallError) -> bool {
    match error {
        CallError::Answered { code, .. } => REFUSALS.contains(&code.as_str()),
        CallError::Elsewhere { error, .. } => is_refusal(error),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: &str) -> CallError {
        CallError::Answered {
            code: code.to_owned(),
            message: "no".to_owned(),
            status: 403,
            request_id: None,
        }
    }

    #[test]
    fn a_refusal_names_the_right_and_is_no_answer() {
        let refused = CallError::Elsewhere {
            service: "EC2",
            endpoint: String::new(),
            right: "ec2:DescribeSubnets",
            error: Box::new(answered("UnauthorizedOperation")),
        };
        let reading: AwsReading<u8> = AwsReading::of("ec2:DescribeSubnets", Err(refused));
        assert_eq!(reading.known(), None);
        let finding = reading.or_unknown("the subnets").unwrap_err();
        assert!(finding.found.contains("ec2:DescribeSubnets"), "{}", finding.found);
        assert!(finding.fix.unwrap().contains("allow ec2:DescribeSubnets"));
    }

    #[test]
    fn any_other_failure_is_not_read() {
        let throttled: AwsReading<u8> =
            AwsReading::of("ec2:DescribeVpcs", Err(answered("Throttling")));
        assert!(
            matches!(&throttled, AwsReading::NotRead { why } if why.contains("ec2:DescribeVpcs"))
        );
        assert!(throttled.or_unknown("the VPC").is_err());
    }
}
