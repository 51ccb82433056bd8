//! Policies of endpoints: what passes, what does not, and what nobody can tell.

use fargate_aws::IamRole;
use fargate_status_answers::CheckOutcome;

use crate::account_view::AccountView;
use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::endpoint_policies::judge;
use crate::needed_rights::{AccountPlace, DescribedSecret, execution_rights};
use crate::network::sample_network::{ECR_IMAGE, needs, with_endpoints};
use crate::reading::AwsReading;
use crate::views::{DefinitionFacts, LogGroupUse, RightAnswer, RoleView};

const ACCOUNT: &str = "123456789012";
const ROLE: &str = "arn:aws:iam::123456789012:role/ci-execution";

/// The network of endpoints, and an execution role that reads a secret, writes a log and pulls from ECR.
fn view() -> AccountView {
    let facts = DefinitionFacts {
        execution_role: Some(ROLE.to_owned()),
        images: vec![ECR_IMAGE.to_owned()],
        registry_secrets: vec!["ci/registry".to_owned()],
        log_groups: vec![LogGroupUse { name: "/ci".to_owned(), region: None, is_made: false }],
        ..DefinitionFacts::default()
    };
    let place = AccountPlace { region: "eu-west-1".to_owned(), account: ACCOUNT.to_owned() };
    let rights = execution_rights(&facts, &place, &|_| DescribedSecret::default());
    let mut view = with_endpoints();
    view.cluster.definitions = vec![AwsReading::Known(Ok(facts))];
    view.access.roles = vec![RoleView {
        name: ROLE.to_owned(),
        role: AwsReading::Known(Some(IamRole {
            name: "ci-execution".to_owned(),
            arn: ROLE.to_owned(),
            trust: String::new(),
            boundary: None,
        })),
        policies: AwsReading::default(),
        rights: rights
            .into_iter()
            .map(|right| RightAnswer { right, state: AwsReading::default() })
            .collect(),
    }];
    view
}

/// What is said if the endpoint of this service has this policy.
fn judged(view: &mut AccountView, service: &str, policy: &str) -> Vec<CheckFinding> {
    let AwsReading::Known(endpoints) = &mut view.network.endpoints else { panic!("known") };
    let endpoint = endpoints.iter_mut().find(|it| it.service.ends_with(service)).unwrap();
    endpoint.policy = Some(policy.to_owned());
    judge(CheckInput { needs: &needs(ECR_IMAGE), view })
}

fn statement(effect: &str, action: &str, resource: &str, more: &str) -> String {
    format!(
        r#"{{"Effect": "{effect}", "Principal": "*", "Action": "{action}", "Resource": "{resource}"{more}}}"#
    )
}

fn policy(statements: &[String]) -> String {
    format!(r#"{{"Statement": [{}]}}"#, statements.join(", "))
}

#[test]
fn a_policy_that_lets_all_needed_calls_pass_is_in_order() {
    let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/registry-*";
    let of_role = r#", "Condition": {"ArnEquals": {"aws:PrincipalArn":
        "arn:aws:iam::123456789012:role/ci-execution"}}"#;
    for (service, statements) in [
        (".logs", vec![statement("Allow", "*", "*", "")]),
        (".logs", vec![statement("Allow", "logs:*", "*", "")]),
        (".secretsmanager", vec![statement("Allow", "secretsmanager:Get*", secret, of_role)]),
        (
            ".s3",
            vec![statement(
                "Allow",
                "s3:GetObject",
                "arn:aws:s3:::prod-*-starport-layer-bucket/*",
                "",
            )],
        ),
        (
            ".ecr.dkr",
            vec![
                statement("Allow", "ecr:BatchGetImage", "*", ""),
                statement("Allow", "ecr:GetDownloadUrlForLayer", "*", ""),
            ],
        ),
    ] {
        let found = judged(&mut view(), service, &policy(&statements));
        assert!(found.iter().all(|it| it.outcome == CheckOutcome::Pass), "{service}: {found:#?}");
        assert_eq!(found.len(), 1);
    }
}

#[test]
fn a_call_that_does_not_pass_fails_with_the_statement_that_lets_it() {
    let mut report = String::new();
    for (service, statements) in [
        (".logs", vec![statement("Allow", "logs:CreateLogStream", "*", "")]),
        (
            ".secretsmanager",
            vec![
                statement("Allow", "*", "*", ""),
                statement("Deny", "secretsmanager:GetSecretValue", "*", ""),
            ],
        ),
        (".ecr.api", vec![statement("Allow", "ecr:BatchGetImage", "*", "")]),
        (".ecr.dkr", vec![statement("Allow", "ecr:GetAuthorizationToken", "*", "")]),
        (".s3", vec![statement("Allow", "s3:*", "arn:aws:s3:::ci-cache/*", "")]),
        (".s3", Vec::new()),
    ] {
        let found = judged(&mut view(), service, &policy(&statements));
        assert!(
            found.iter().all(CheckFinding::is_fail) && found.len() == 1,
            "{service}: {found:#?}"
        );
        let command = found[0].command.as_ref().unwrap();
        report += &format!("{}\n  {command}\n", found[0].text());
    }
    insta::assert_snapshot!(report);
}

#[test]
fn what_a_policy_leaves_open_is_unknown_and_never_passed() {
    let of_organisation = r#", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}"#;
    let named = r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}]}"#;
    for (service, policy) in [
        (".logs", policy(&[statement("Allow", "*", "*", of_organisation)])),
        (".s3", policy(&[statement("Allow", "*", "*", of_organisation)])),
        (".logs", named.to_owned()),
        (".logs", "no JSON".to_owned()),
    ] {
        let found = judged(&mut view(), service, &policy);
        let unknown = found.iter().all(|it| it.outcome == CheckOutcome::Unknown);
        assert!(unknown && found.len() == 1, "{policy}: {found:#?}");
    }
    let mut nobody = view();
    nobody.access.roles.clear();
    let found = judged(&mut nobody, ".logs", &policy(&[statement("Allow", "logs:*", "*", "")]));
    assert_eq!(found[0].outcome, CheckOutcome::Unknown, "{found:#?}");
}
