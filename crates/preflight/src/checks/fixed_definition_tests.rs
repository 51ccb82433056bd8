//! What a task definition that somebody else made mounts and runs is judged as what the configuration names.

use fargate_aws::{NetworkAcl, PortRange};
use fargate_status_answers::CheckOutcome;

use crate::account_view::AccountView;
use crate::check_catalogue::{CATALOGUE, CheckInput};
use crate::check_finding::CheckFinding;
use crate::check_run::check_account;
use crate::checks::account_fixture::{AccountFixture, EFS};
use crate::checks::sample_definition::{fixed_needs, mounting_definition};
use crate::job_needs::JobNeeds;
use crate::network::sample_network::{entry, open_acl, with_nat_gateways};
use crate::reading::AwsReading;

/// A network in order, in which the definition is known.
fn network() -> AccountView {
    let mut view = with_nat_gateways();
    view.cluster.definitions = vec![AwsReading::Known(Ok(mounting_definition()))];
    view
}

/// What the check with this id finds.
fn found(id: &str, needs: &JobNeeds, view: &AccountView) -> Vec<CheckFinding> {
    let check = CATALOGUE.iter().find(|check| check.id == id).expect("a check");
    (check.judge)(CheckInput { needs, view })
}

fn only(mut findings: Vec<CheckFinding>) -> CheckFinding {
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

fn known<T>(reading: &mut AwsReading<T>) -> &mut T {
    match reading {
        AwsReading::Known(value) => value,
        AwsReading::NotAllowed { .. } | AwsReading::NotRead { .. } => panic!("the sample knows it"),
    }
}

type Break = fn(&mut AccountView);

/// Each way to keep tasks from the file system of their definition, with the check that names it.
const BREAKS: &[(&str, Break)] = &[
    ("efs-access", |view| {
        let groups = known(&mut view.network.groups).iter_mut();
        groups.filter(|group| group.id == "sg-0c3").for_each(|group| group.ingress.clear());
    }),
    ("group-egress", |view| {
        let rule = &mut known(&mut view.network.task_groups)[0].egress[0];
        rule.protocol = fargate_aws::TrafficProtocol::Tcp;
        rule.ports = PortRange::one(443);
    }),
    ("network-acls", |view| {
        let acls = known(&mut view.network.acls);
        let mine = ["subnet-0a1".to_owned(), "subnet-0b2".to_owned()];
        acls[0].subnets.retain(|subnet| !mine.contains(subnet));
        let deny = entry(50, true, false, PortRange::one(2049));
        let mut own: NetworkAcl = open_acl("acl-0b2", mine.to_vec());
        own.entries.insert(0, deny);
        acls.push(own);
    }),
    ("vpc-dns", |view| {
        view.network
            .dns
            .values_mut()
            .for_each(|vpc| known(&mut vpc.attributes).has_hostnames = false);
    }),
];

#[test]
fn tasks_that_do_not_reach_the_file_system_of_a_fixed_definition_fail() {
    let needs = fixed_needs();
    for (id, break_it) in BREAKS {
        let mut view = network();
        let before = found(id, &needs, &view);
        assert!(!before.iter().any(CheckFinding::is_fail), "{id}: {before:#?}");
        break_it(&mut view);
        let after = found(id, &needs, &view);
        assert!(after.iter().any(CheckFinding::is_fail), "{id}: {after:#?}");
    }
    let passed = found("efs-access", &needs, &network());
    assert_eq!(passed.len(), 1, "mounts are judged: {passed:#?}");
}

/// The good account, with the definition.
fn account() -> AccountFixture {
    let mut fixture = AccountFixture::good();
    fixture.needs = fixed_needs();
    fixture.view.cluster.definitions[0] = AwsReading::Known(Ok(mounting_definition()));
    fixture
}

#[test]
fn the_access_point_of_a_fixed_definition_is_looked_for() {
    let mut fixture = account();
    let of = |fixture: &AccountFixture| found("access-points", &fixture.needs, &fixture.view);
    let good = only(of(&fixture));
    assert_eq!(good.outcome, CheckOutcome::Pass, "{good:?}");
    assert!(good.found.contains("fsap-0a1b2c3d"), "{good:?}");
    fixture.file_system().access_points = AwsReading::Known(Vec::new());
    let gone = only(of(&fixture));
    assert!(gone.is_fail(), "{gone:?}");
    assert!(gone.fix.as_ref().is_some_and(|fix| fix.contains("task-definition/ci:7")), "{gone:?}");
}

#[test]
fn a_folder_without_an_access_point_is_told_as_that() {
    let mut fixture = account();
    let mount = &mut fixture.definition().mounts[0];
    (mount.access_point, mount.folder) = (None, "/ci".to_owned());
    let told = only(found("access-points", &fixture.needs, &fixture.view));
    let CheckFinding { outcome, found, .. } = told;
    assert_eq!(outcome, CheckOutcome::Pass);
    assert_eq!(found, "the volume `cache` is the folder /ci of its file system");
}

#[test]
fn the_role_of_a_fixed_definition_must_be_let_in() {
    let of = |fixture: &AccountFixture| found("mount-rights", &fixture.needs, &fixture.view);
    let mut fixture = account();
    let good = only(of(&fixture));
    assert_eq!(good.outcome, CheckOutcome::Pass, "{good:?}");
    // The policy asks for TLS.
    fixture.definition().mounts[0].transit_encryption = false;
    assert!(of(&fixture)[0].is_fail(), "{:?}", of(&fixture));
    let mut fixture = account();
    fixture.file_system().policy = AwsReading::Known(Some(EFS.replace("ci-task", "other")));
    assert!(of(&fixture)[0].is_fail(), "{:?}", of(&fixture));
    let mut fixture = account();
    fixture.definition().task_role = None;
    let told = only(of(&fixture));
    assert!(told.fix.is_some_and(|fix| fix.contains("with a task role")), "{}", told.found);
}

#[test]
fn an_image_of_a_fixed_definition_that_was_not_read_is_unknown_with_pull() {
    let mut fixture = account();
    fixture.view.registry.images.clear();
    fixture.view.cluster.definitions[0] = AwsReading::NotRead { why: "no answer".to_owned() };
    let of = |fixture: &AccountFixture| found("image", &fixture.needs, &fixture.view);
    assert!(of(&fixture).is_empty(), "nobody asked for it");
    fixture.needs.pull = true;
    let told = only(of(&fixture));
    assert_eq!(told.outcome, CheckOutcome::Unknown, "{told:?}");
    assert!(told.found.contains("no answer"), "{told:?}");
}

#[test]
fn a_report_says_whom_it_did_not_ask() {
    let mut needs = fixed_needs();
    let said = |needs: &JobNeeds| check_account(needs, &network()).not_asked.join(" ");
    for flag in ["--gitlab-url", "--pull"] {
        assert!(said(&needs).contains(flag), "{}", said(&needs));
    }
    needs.gitlab_url = Some("https://gitlab.example.com".to_owned());
    needs.pull = true;
    assert_eq!(said(&needs), "");
}

#[test]
fn the_image_of_the_job_s_container_is_kept_for_the_probe() {
    let checked = check_account(&fixed_needs(), &network());
    let image = checked.definition_images.get(&("ci".to_owned(), "job".to_owned()));
    assert_eq!(image.map(String::as_str), Some("registry.example.com/ci/job:1"));
}
