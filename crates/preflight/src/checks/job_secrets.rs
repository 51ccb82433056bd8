//! Whether the secrets of Secrets Manager that jobs get are there. Their values are never read.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::reading::AwsReading;
use fargate_aws::SecretDescription;

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    input.view.registry.job_secrets.iter().map(|(arn, found)| one(arn, found)).collect()
}

fn one(arn: &str, found: &AwsReading<Option<SecretDescription>>) -> CheckFinding {
    let consequence = "ECS cannot read a secret of the job, so tasks stop before they start";
    match found.or_unknown(&format!("whether the secret {arn} is there")) {
        Err(unknown) => unknown,
        Ok(None) => CheckFinding::fail(format!("there is no secret {arn}"), consequence)
            .fix("make it, or correct where `secrets` or the task definition takes it from")
            .command(format!("aws secretsmanager describe-secret --secret-id {arn}")),
        Ok(Some(found)) if found.deleted_at.is_some() => {
            CheckFinding::fail(format!("the secret {arn} is marked for deletion"), consequence)
                .fix("take it back")
                .command(format!("aws secretsmanager restore-secret --secret-id {arn}"))
        }
        Ok(Some(_)) => CheckFinding::pass(format!("{arn} is there")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::account_fixture::AccountFixture;
    use fargate_status_answers::CheckOutcome;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-AbCdEf";

    fn told(found: AwsReading<Option<SecretDescription>>) -> CheckFinding {
        let mut fixture = AccountFixture::good();
        fixture.view.registry.job_secrets.insert(ARN.to_owned(), found);
        let mut findings = judge(CheckInput { needs: &fixture.needs, view: &fixture.view });
        assert_eq!(findings.len(), 1, "{findings:#?}");
        findings.remove(0)
    }

    #[test]
    fn a_secret_of_a_job_that_is_deleted_fails() {
        let description = |deleted_at: Option<i64>| {
            AwsReading::Known(Some(SecretDescription {
                arn: ARN.to_owned(),
                name: "ci/npm".to_owned(),
                changed_at: None,
                deleted_at,
                version: None,
                kms_key: None,
            }))
        };
        assert_eq!(told(description(None)).outcome, CheckOutcome::Pass);
        for (found, command) in
            [(description(Some(1)), "restore-secret"), (AwsReading::Known(None), "describe-secret")]
        {
            let told = told(found);
            assert!(told.is_fail() && told.found.contains(ARN) && told.fix.is_some(), "{told:?}");
            assert!(told.command.as_ref().is_some_and(|it| it.contains(command)), "{told:?}");
        }
    }

    #[test]
    fn a_secret_of_a_job_that_nobody_may_describe_is_unknown_with_the_right() {
        let right = "secretsmanager:DescribeSecret".to_owned();
        let told = told(AwsReading::NotAllowed { right: right.clone(), error: "no".to_owned() });
        assert_eq!(told.outcome, CheckOutcome::Unknown);
        assert!(told.found.contains(&right), "{told:?}");
    }
}
