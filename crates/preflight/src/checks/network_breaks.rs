//! Networks in order, broken in one place at a time: exactly the right check fails, and no other.

use std::collections::BTreeSet;

use fargate_aws::{
    GroupRule, NetworkAcl, PortRange, RouteDestination, RouteTarget, TrafficProtocol, VpcRoute,
    VpcRouteTable,
};
use fargate_config::PublicIp;
use fargate_status_answers::{CheckLine, CheckOutcome};

use crate::account_view::AccountView;
use crate::check_run::check_account;
use crate::job_needs::JobNeeds;
use crate::network::sample_network::{
    ECR_IMAGE, cidr, endpoint, entry, needs, open_acl, rule, with_endpoints, with_nat_gateways,
};
use crate::reading::AwsReading;
use crate::views::{NetworkView, VpcView};

/// The checks of the network.
const NETWORK: [&str; 16] = [
    "subnets",
    "way-out",
    "ipv6-way-out",
    "endpoints",
    "endpoint-access",
    "endpoint-policies",
    "vpc-dns",
    "network-acls",
    "security-groups",
    "group-egress",
    "ssh-access",
    "ssh-exposure",
    "open-rules",
    "efs-access",
    "subnet-addresses",
    "egress-addresses",
];

fn lines(needs: &JobNeeds, view: &AccountView) -> Vec<CheckLine> {
    let all = check_account(needs, view).lines;
    all.into_iter().filter(|line| NETWORK.contains(&line.id.as_str())).collect()
}

fn ids(lines: &[CheckLine], outcome: CheckOutcome) -> BTreeSet<&str> {
    lines.iter().filter(|line| line.outcome == outcome).map(|line| line.id.as_str()).collect()
}

fn text(lines: &[CheckLine]) -> String {
    let line = |it: &CheckLine| {
        let fix = it.fix.iter().chain(&it.command).map(|fix| format!("\n    {fix}"));
        format!("{:?} {}: {}{}\n", it.outcome, it.id, it.found, fix.collect::<String>())
    };
    lines.iter().map(line).collect()
}

fn known<T>(reading: &mut AwsReading<T>) -> &mut T {
    match reading {
        AwsReading::Known(value) => value,
        AwsReading::NotAllowed { .. } | AwsReading::NotRead { .. } => {
            panic!("the sample knows everything")
        }
    }
}

fn table<'a>(net: &'a mut NetworkView, id: &str) -> &'a mut VpcRouteTable {
    known(&mut net.route_tables).iter_mut().find(|table| table.id == id).unwrap()
}

fn task_group(net: &mut NetworkView) -> &mut fargate_aws::SecurityGroup {
    &mut known(&mut net.task_groups)[0]
}

fn group<'a>(net: &'a mut NetworkView, id: &str) -> &'a mut fargate_aws::SecurityGroup {
    known(&mut net.groups).iter_mut().find(|group| group.id == id).unwrap()
}

/// Gives the subnets of tasks an ACL of their own with these rules.
fn own_acl(net: &mut NetworkView, entries: Vec<fargate_aws::AclEntry>) {
    let mine = ["subnet-0a1".to_owned(), "subnet-0b2".to_owned()];
    let acls: &mut Vec<NetworkAcl> = known(&mut net.acls);
    acls[0].subnets.retain(|subnet| !mine.contains(subnet));
    acls.push(NetworkAcl { entries, ..open_acl("acl-0b2", mine.to_vec()) });
}

type Break = fn(&mut JobNeeds, &mut AccountView);

const BREAKS: &[(&str, &str, Break)] = &[
    ("subnets", "a subnet does not exist", |_, view| {
        known(&mut view.network.task_subnets).remove(1);
    }),
    ("subnets", "a subnet is not ready", |_, view| {
        known(&mut view.network.task_subnets)[0].state = "pending".to_owned();
    }),
    ("subnets", "subnets of two VPCs", |_, view| {
        known(&mut view.network.task_subnets)[1].vpc = "vpc-2".to_owned();
    }),
    ("way-out", "no route", |_, view| {
        table(&mut view.network, "rtb-0a1").routes.truncate(1);
    }),
    ("way-out", "a blackhole", |_, view| {
        table(&mut view.network, "rtb-0a1").routes[1].is_active = false;
    }),
    ("way-out", "an internet gateway without public addresses", |_, view| {
        table(&mut view.network, "rtb-0a1").routes[1].target =
            RouteTarget::Internet("igw-0a1".to_owned());
    }),
    ("way-out", "the NAT gateway was deleted", |_, view| {
        known(&mut view.network.nat_gateways).remove(0);
    }),
    ("way-out", "the NAT gateway failed", |_, view| {
        known(&mut view.network.nat_gateways)[0].state = "failed".to_owned();
    }),
    ("way-out", "the NAT gateway is private", |_, view| {
        known(&mut view.network.nat_gateways)[0].is_public = false;
    }),
    ("way-out", "the NAT gateway stands in a private subnet", |_, view| {
        known(&mut view.network.nat_gateways)[0].subnet = Some("subnet-0e5".to_owned());
    }),
    ("way-out", "the internet gateway is detached", |_, view| {
        known(&mut view.network.internet_gateways).clear();
    }),
    ("way-out", "no table names the subnet, and there is no main one", |_, view| {
        table(&mut view.network, "rtb-0a1").subnets.clear();
    }),
    ("vpc-dns", "no DNS server", |_, view| {
        known(&mut dns(view).attributes).is_supported = false;
    }),
    ("vpc-dns", "no host names", |_, view| {
        known(&mut dns(view).attributes).has_hostnames = false;
    }),
    ("network-acls", "no answers come in", |_, view| {
        let in_443 = entry(100, false, true, PortRange { first: 0, last: 1023 });
        let manager = entry(90, false, true, PortRange::one(22));
        own_acl(&mut view.network, vec![entry(100, true, true, PortRange::ALL), in_443, manager]);
    }),
    ("network-acls", "only a part of the answers comes in", |_, view| {
        let some = entry(100, false, true, PortRange { first: 0, last: 40000 });
        own_acl(&mut view.network, vec![entry(100, true, true, PortRange::ALL), some]);
    }),
    ("network-acls", "port 443 is denied", |_, view| {
        known(&mut view.network.acls)[0]
            .entries
            .insert(0, entry(50, true, false, PortRange::one(443)));
    }),
    ("network-acls", "port 2049 is denied", |_, view| {
        let deny = entry(50, true, false, PortRange::one(2049));
        known(&mut view.network.acls)[0].entries.insert(0, deny);
    }),
    ("network-acls", "port 22 is denied", |_, view| {
        let deny = entry(50, false, false, PortRange::one(22));
        known(&mut view.network.acls)[0].entries.insert(0, deny);
    }),
    ("security-groups", "a group does not exist", |needs, _| {
        needs.profiles[0].security_groups.push("sg-0999".to_owned());
    }),
    ("security-groups", "a group is of another VPC", |_, view| {
        task_group(&mut view.network).vpc = "vpc-2".to_owned();
    }),
    ("group-egress", "nothing goes out", |_, view| task_group(&mut view.network).egress.clear()),
    ("group-egress", "only NFS goes out", |_, view| {
        task_group(&mut view.network).egress[0] =
            rule(TrafficProtocol::Tcp, PortRange::one(2049), cidr("0.0.0.0/0"));
    }),
    ("group-egress", "no NFS goes out", |_, view| {
        task_group(&mut view.network).egress[0] =
            rule(TrafficProtocol::Tcp, PortRange::one(443), cidr("0.0.0.0/0"));
    }),
    ("group-egress", "no DNS goes out to a server of one's own", |_, view| {
        dns(view).servers = AwsReading::Known(vec!["10.0.9.9".to_owned()]);
        task_group(&mut view.network).egress[0].protocol = TrafficProtocol::Tcp;
    }),
    ("ssh-access", "nobody may connect", |_, view| task_group(&mut view.network).ingress.clear()),
    ("ssh-access", "another group may connect", |_, view| {
        task_group(&mut view.network).ingress[0] = rule(
            TrafficProtocol::Tcp,
            PortRange::one(22),
            fargate_aws::GroupPeer::Group("sg-0c3".to_owned()),
        );
    }),
    ("ssh-access", "the manager's group lets nothing out", |_, view| {
        group(&mut view.network, "sg-0b2").egress.clear();
    }),
    ("ssh-access", "the manager's group lets out to one zone alone", |_, view| {
        group(&mut view.network, "sg-0b2").egress =
            vec![rule(TrafficProtocol::Tcp, PortRange::one(22), cidr("10.0.1.0/24"))];
    }),
    ("ssh-exposure", "everybody may connect", |_, view| {
        task_group(&mut view.network).ingress[0].peers.push(cidr("0.0.0.0/0"));
    }),
    ("ssh-exposure", "everybody may connect by IPv6", |_, view| {
        task_group(&mut view.network).ingress[0].peers.push(cidr("::/0"));
    }),
    ("ssh-exposure", "everything is open", |_, view| {
        task_group(&mut view.network).ingress.push(rule(
            TrafficProtocol::All,
            PortRange::ALL,
            cidr("0.0.0.0/0"),
        ));
    }),
    ("ssh-exposure", "a range of ports is open to a prefix list of everybody", |_, view| {
        let everybody = vec!["0.0.0.0/1".parse().unwrap(), "128.0.0.0/1".parse().unwrap()];
        view.network.prefix_lists.insert("pl-0c3".to_owned(), AwsReading::Known(everybody));
        task_group(&mut view.network).ingress.push(rule(
            TrafficProtocol::Tcp,
            PortRange { first: 20, last: 30 },
            fargate_aws::GroupPeer::PrefixList("pl-0c3".to_owned()),
        ));
    }),
    ("efs-access", "the mount target lets nobody in", |_, view| {
        group(&mut view.network, "sg-0c3").ingress.clear();
    }),
    ("efs-access", "the mount target lets only one zone in", |_, view| {
        group(&mut view.network, "sg-0c3").ingress[0].peers = vec![cidr("10.0.1.0/24")];
    }),
    ("subnet-addresses", "the subnets are full", |_, view| {
        known(&mut view.network.task_subnets).iter_mut().for_each(|it| it.free_addresses = 0);
    }),
    ("subnet-addresses", "the subnets are too small", |needs, view| {
        needs.concurrency = Some(600);
        known(&mut view.network.task_subnets).iter_mut().for_each(|it| it.free_addresses = 200);
    }),
    ("endpoint-access", "an endpoint takes the traffic, and lets nobody in", |_, view| {
        known(&mut view.network.endpoints).push(endpoint("vpce-0c3", "logs"));
        group(&mut view.network, "sg-0d4").ingress.clear();
    }),
];

const ENDPOINT_BREAKS: &[(&str, &str, Break)] = &[
    ("endpoints", "no endpoint of the log", |_, view| {
        known(&mut view.network.endpoints).retain(|it| !it.service.ends_with(".logs"));
    }),
    ("endpoints", "no private DNS name", |_, view| {
        known(&mut view.network.endpoints)[0].has_private_dns = false;
    }),
    ("endpoints", "the endpoint is not ready", |_, view| {
        known(&mut view.network.endpoints)[0].state = "pending".to_owned();
    }),
    ("endpoints", "no endpoint of S3", |_, view| {
        known(&mut view.network.endpoints).retain(|it| !it.service.ends_with(".s3"));
    }),
    ("endpoints", "no route to the endpoint of S3", |_, view| {
        known(&mut view.network.endpoints).last_mut().unwrap().route_tables.pop();
    }),
    ("endpoint-access", "endpoints let nobody in", |_, view| {
        group(&mut view.network, "sg-0d4").ingress.clear();
    }),
    (
        "endpoint-policies",
        "the policy of the endpoint of S3 keeps the layers of images away",
        |_, view| {
            let own = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:*",
            "Resource": ["arn:aws:s3:::ci-cache", "arn:aws:s3:::ci-cache/*"]}}"#;
            let endpoints = known(&mut view.network.endpoints);
            let s3 = endpoints.iter_mut().find(|it| it.service.ends_with(".s3")).unwrap();
            s3.policy = Some(own.to_owned());
        },
    ),
    ("network-acls", "no answers of endpoints come in", |_, view| {
        let some = entry(100, false, true, PortRange { first: 0, last: 1023 });
        own_acl(&mut view.network, vec![entry(100, true, true, PortRange::ALL), some]);
    }),
    ("group-egress", "nothing goes out to endpoints", |_, view| {
        task_group(&mut view.network).egress[0].ports = PortRange::one(2049);
        task_group(&mut view.network).egress[0].protocol = TrafficProtocol::Tcp;
    }),
    ("group-egress", "nothing goes out to S3, where the layers of images are", |_, view| {
        task_group(&mut view.network).egress = out_to_endpoints();
    }),
    ("network-acls", "no answers of S3 come in", |_, view| {
        let inside = fargate_aws::AclEntry {
            cidr: "10.0.0.0/16".parse().unwrap(),
            ..entry(100, false, true, PortRange::ALL)
        };
        own_acl(&mut view.network, vec![entry(100, true, true, PortRange::ALL), inside]);
    }),
    ("vpc-dns", "no host names, so that endpoints have no private names", |needs, view| {
        needs.profiles[0].storage.clear();
        known(&mut dns(view).attributes).has_hostnames = false;
    }),
    ("way-out", "the image is not in ECR", |needs, _| {
        needs.profiles[0].image = Some("registry.example/ci:1".to_owned());
    }),
    ("way-out", "the image is in ECR of another Region", |needs, _| {
        needs.profiles[0].image = Some(ECR_IMAGE.replace("eu-west-1", "eu-central-1"));
    }),
];

/// The rules of a tight group: to endpoints and mount targets, and nowhere else.
fn out_to_endpoints() -> Vec<GroupRule> {
    let to = |port, group: &str| {
        let group = fargate_aws::GroupPeer::Group(group.to_owned());
        rule(TrafficProtocol::Tcp, PortRange::one(port), group)
    };
    vec![to(443, "sg-0d4"), to(2049, "sg-0c3")]
}

fn dns(view: &mut AccountView) -> &mut VpcView {
    view.network.dns.get_mut("vpc-1").unwrap()
}

fn judge_breaks(
    breaks: &[(&str, &str, Break)],
    image: &str,
    sample: fn() -> AccountView,
) -> String {
    let mut report = String::new();
    for (wanted, what, break_it) in breaks {
        let (mut needs, mut view) = (needs(image), sample());
        break_it(&mut needs, &mut view);
        let lines = lines(&needs, &view);
        let failed = ids(&lines, CheckOutcome::Fail);
        assert_eq!(failed, BTreeSet::from([*wanted]), "{what}:\n{}", text(&lines));
        let unknown = ids(&lines, CheckOutcome::Unknown);
        assert!(unknown.is_empty(), "{what}:\n{}", text(&lines));
        let failed: Vec<CheckLine> =
            lines.into_iter().filter(|line| line.outcome == CheckOutcome::Fail).collect();
        assert!(failed.iter().all(|line| line.fix.is_some()), "{what}");
        report += &format!("{what}\n{}\n", text(&failed));
    }
    report
}

#[test]
fn a_network_in_order_passes_every_check() {
    let found = lines(&needs("registry.example/ci:1"), &with_nat_gateways());
    assert!(found.iter().all(|line| line.outcome == CheckOutcome::Pass), "{}", text(&found));
    insta::assert_snapshot!(text(&found));
}

#[test]
fn a_network_with_endpoints_alone_passes_and_says_what_it_means() {
    let found = lines(&needs(ECR_IMAGE), &with_endpoints());
    assert_eq!(ids(&found, CheckOutcome::Warn), BTreeSet::from(["way-out"]), "{}", text(&found));
    assert!(ids(&found, CheckOutcome::Fail).is_empty(), "{}", text(&found));
    assert!(ids(&found, CheckOutcome::Unknown).is_empty(), "{}", text(&found));
    insta::assert_snapshot!(text(&found));
}

#[test]
fn each_way_to_break_a_network_is_found_by_exactly_one_check() {
    insta::assert_snapshot!(judge_breaks(BREAKS, "registry.example/ci:1", with_nat_gateways));
}

#[test]
fn each_way_to_break_a_network_of_endpoints_is_found_by_exactly_one_check() {
    insta::assert_snapshot!(judge_breaks(ENDPOINT_BREAKS, ECR_IMAGE, with_endpoints));
}

type Denial = fn(&mut AccountView);

/// What each reading is needed for.
const READINGS: &[(&str, &[&str], Denial)] = &[
    (
        "ec2:DescribeSubnets",
        &["subnets", "way-out", "network-acls", "subnet-addresses", "group-egress", "vpc-dns"],
        |view| view.network.task_subnets = denied("ec2:DescribeSubnets"),
    ),
    (
        "ec2:DescribeSecurityGroups",
        &["security-groups", "group-egress", "ssh-exposure", "ssh-access", "open-rules"],
        |view| view.network.task_groups = denied("ec2:DescribeSecurityGroups"),
    ),
    ("ec2:DescribeSubnets", &["way-out", "network-acls"], |view| {
        view.network.subnets = denied("ec2:DescribeSubnets");
    }),
    ("ec2:DescribeSecurityGroups", &["efs-access"], |view| {
        view.network.groups = denied("ec2:DescribeSecurityGroups");
    }),
    ("ec2:DescribeRouteTables", &["way-out", "egress-addresses", "ipv6-way-out"], |view| {
        view.network.route_tables = denied("ec2:DescribeRouteTables");
    }),
    ("ec2:DescribeNatGateways", &["way-out", "egress-addresses"], |view| {
        view.network.nat_gateways = denied("ec2:DescribeNatGateways");
    }),
    ("ec2:DescribeInternetGateways", &["way-out"], |view| {
        view.network.internet_gateways = denied("ec2:DescribeInternetGateways");
    }),
    ("ec2:DescribeNetworkAcls", &["network-acls"], |view| {
        view.network.acls = denied("ec2:DescribeNetworkAcls");
    }),
    ("ec2:DescribeVpcEndpoints", &["endpoint-access", "endpoint-policies"], |view| {
        view.network.endpoints = denied("ec2:DescribeVpcEndpoints");
    }),
    ("ec2:DescribeVpcAttribute", &["vpc-dns"], |view| {
        dns(view).attributes = denied("ec2:DescribeVpcAttribute");
    }),
    ("ec2:DescribeDhcpOptions", &["vpc-dns"], |view| {
        dns(view).servers = denied("ec2:DescribeDhcpOptions");
    }),
    ("ec2:DescribeNetworkInterfaces", &["ssh-access"], |view| {
        view.network.manager = denied("ec2:DescribeNetworkInterfaces");
    }),
    ("elasticfilesystem:DescribeMountTargets", &["efs-access"], |view| {
        view.storage.mount_targets = denied("elasticfilesystem:DescribeMountTargets");
    }),
];

fn denied<T>(right: &str) -> AwsReading<T> {
    AwsReading::NotAllowed {
        right: right.to_owned(),
        error: "UnauthorizedOperation: no".to_owned(),
    }
}

#[test]
fn what_may_not_be_read_is_unknown_with_the_right_and_never_passed_or_failed() {
    for (right, checks, deny) in READINGS {
        let (needs, mut view) = (needs("registry.example/ci:1"), with_nat_gateways());
        deny(&mut view);
        let lines = lines(&needs, &view);
        let said = text(&lines);
        assert!(ids(&lines, CheckOutcome::Fail).is_empty(), "without {right}:\n{said}");
        let unknown = ids(&lines, CheckOutcome::Unknown);
        let passed = ids(&lines, CheckOutcome::Pass);
        for check in *checks {
            assert!(unknown.contains(check), "{check} without {right}:\n{said}");
            assert!(!passed.contains(check), "{check} without {right}:\n{said}");
        }
        let names = |line: &CheckLine| line.found.contains(right);
        let unknown = lines.iter().filter(|line| line.outcome == CheckOutcome::Unknown);
        assert!(unknown.clone().all(names), "without {right}:\n{said}");
    }
}

#[test]
fn nothing_read_passes_nothing() {
    let found = lines(&needs("registry.example/ci:1"), &AccountView::default());
    assert!(found.iter().all(|line| line.outcome == CheckOutcome::Unknown), "{}", text(&found));
    assert!(found.len() >= 10);
}

#[test]
fn an_internet_gateway_is_a_way_out_for_tasks_with_public_addresses() {
    let (mut needs, mut view) = (needs("registry.example/ci:1"), with_nat_gateways());
    needs.profiles[0].public_ip = PublicIp::Assigned;
    for id in ["rtb-0a1", "rtb-0b2"] {
        table(&mut view.network, id).routes[1].target = RouteTarget::Internet("igw-0a1".to_owned());
    }
    let found = lines(&needs, &view);
    assert!(ids(&found, CheckOutcome::Fail).is_empty(), "{}", text(&found));
    let warned = ids(&found, CheckOutcome::Warn);
    assert_eq!(warned, BTreeSet::from(["egress-addresses"]), "{}", text(&found));
}

#[test]
fn a_way_that_cannot_be_seen_is_unknown() {
    let ways: [(&str, Denial); 6] = [
        ("tgw-0a1", |view| leads_to(view, "rtb-0a1", RouteTarget::Elsewhere("tgw-0a1".to_owned()))),
        ("eni-0a1", |view| leads_to(view, "rtb-0a1", RouteTarget::Elsewhere("eni-0a1".to_owned()))),
        // A Network Firewall, before the NAT gateway or behind it.
        ("vpce-0a1", |view| {
            leads_to(view, "rtb-0a1", RouteTarget::Endpoint("vpce-0a1".to_owned()))
        }),
        ("vpce-0a2", |view| {
            leads_to(view, "rtb-0c3", RouteTarget::Endpoint("vpce-0a2".to_owned()))
        }),
        // The same on the way of the answers: from the NAT gateway to tasks, and from the internet gateway.
        ("vpce-0a3", |view| {
            let answers = route("10.0.1.0/24", RouteTarget::Endpoint("vpce-0a3".to_owned()));
            table(&mut view.network, "rtb-0c3").routes.push(answers);
        }),
        ("vpce-0a4", |view| {
            let answers = route("10.0.101.0/24", RouteTarget::Endpoint("vpce-0a4".to_owned()));
            known(&mut view.network.route_tables).push(VpcRouteTable {
                id: "rtb-0d4".to_owned(),
                vpc: "vpc-1".to_owned(),
                is_main: false,
                subnets: Vec::new(),
                gateways: vec!["igw-0a1".to_owned()],
                routes: vec![route("10.0.0.0/16", RouteTarget::Local), answers],
            });
        }),
    ];
    for (what, change) in ways {
        let (needs, mut view) = (needs("registry.example/ci:1"), with_nat_gateways());
        change(&mut view);
        let found = lines(&needs, &view);
        let said = text(&found);
        assert_eq!(ids(&found, CheckOutcome::Unknown), BTreeSet::from(["way-out"]), "{said}");
        assert!(ids(&found, CheckOutcome::Fail).is_empty(), "{said}");
        assert!(said.contains(what) && said.contains("--probe"), "{what}: {said}");
    }
}

fn route(prefix: &str, target: RouteTarget) -> VpcRoute {
    let destination = RouteDestination::Cidr(prefix.parse().unwrap());
    VpcRoute { destination, target, is_active: true }
}

/// Gives the default route of a table another target.
fn leads_to(view: &mut AccountView, id: &str, target: RouteTarget) {
    table(&mut view.network, id).routes[1].target = target;
}

#[test]
fn a_subnet_whose_acl_is_not_shown_is_unknown() {
    let (needs, mut view) = (needs("registry.example/ci:1"), with_nat_gateways());
    known(&mut view.network.acls)[0].subnets.retain(|subnet| subnet != "subnet-0a1");
    let found = lines(&needs, &view);
    assert_eq!(ids(&found, CheckOutcome::Unknown), BTreeSet::from(["network-acls"]));
    assert!(text(&found).contains("no network ACL of subnet-0a1"), "{}", text(&found));
}

#[test]
fn a_host_outside_the_vpc_does_not_know_whether_the_manager_gets_in_until_it_is_told() {
    let (mut needs, mut view) = (needs("registry.example/ci:1"), with_nat_gateways());
    known(&mut view.network.manager).interfaces.clear();
    let unknown = BTreeSet::from(["ssh-access"]);
    assert_eq!(ids(&lines(&needs, &view), CheckOutcome::Unknown), unknown);
    needs.manager.groups = vec!["sg-0b2".to_owned()];
    assert!(ids(&lines(&needs, &view), CheckOutcome::Unknown).is_empty());
    needs.manager.groups = vec!["sg-0c3".to_owned()];
    assert_eq!(ids(&lines(&needs, &view), CheckOutcome::Fail), unknown);
    needs.manager.groups.clear();
    needs.manager.address = Some("192.168.7.7".parse().unwrap());
    assert_eq!(ids(&lines(&needs, &view), CheckOutcome::Fail), unknown);
    task_group(&mut view.network).ingress[0].peers.push(cidr("192.168.0.0/16"));
    assert_eq!(ids(&lines(&needs, &view), CheckOutcome::Unknown), unknown);
}

#[test]
fn rules_that_are_too_open_are_a_warning() {
    let open: [(GroupRule, &str); 3] = [
        (
            rule(TrafficProtocol::Tcp, PortRange::one(80), cidr("0.0.0.0/0")),
            "TCP 80 from 0.0.0.0/0",
        ),
        (
            rule(TrafficProtocol::All, PortRange::ALL, cidr("10.0.0.0/16")),
            "all traffic from 10.0.0.0/16",
        ),
        (
            rule(
                TrafficProtocol::Tcp,
                PortRange { first: 0, last: 65535 },
                fargate_aws::GroupPeer::Group("sg-0a1".to_owned()),
            ),
            "TCP 0-65535 from sg-0a1",
        ),
    ];
    for (rule, words) in open {
        let (needs, mut view) = (needs("registry.example/ci:1"), with_nat_gateways());
        task_group(&mut view.network).ingress.push(rule);
        let found = lines(&needs, &view);
        assert_eq!(ids(&found, CheckOutcome::Warn), BTreeSet::from(["open-rules"]));
        assert!(ids(&found, CheckOutcome::Fail).is_empty());
        assert!(text(&found).contains(words), "{}", text(&found));
    }
    let (needs, mut view) = (needs("registry.example/ci:1"), with_nat_gateways());
    group(&mut view.network, "sg-0c3").ingress[0].peers = vec![cidr("0.0.0.0/0")];
    assert_eq!(ids(&lines(&needs, &view), CheckOutcome::Warn), BTreeSet::from(["open-rules"]));
}

#[test]
fn a_tight_group_may_name_s3_by_its_list_or_by_its_addresses() {
    let list = fargate_aws::GroupPeer::PrefixList("pl-0a1".to_owned());
    for (to_s3, outcome) in [
        (list, CheckOutcome::Pass),
        (cidr("52.218.0.0/17"), CheckOutcome::Pass),
        (cidr("52.218.0.0/18"), CheckOutcome::Fail),
    ] {
        let (needs, mut view) = (needs(ECR_IMAGE), with_endpoints());
        let egress = &mut task_group(&mut view.network).egress;
        *egress = out_to_endpoints();
        egress.push(rule(TrafficProtocol::Tcp, PortRange::one(443), to_s3.clone()));
        let found = lines(&needs, &view);
        assert!(ids(&found, outcome).contains("group-egress"), "{to_s3:?}:\n{}", text(&found));
    }
}

#[test]
fn whether_a_tight_group_and_a_tight_acl_let_out_to_s3_is_unknown_without_its_addresses() {
    let (needs, mut view) = (needs(ECR_IMAGE), with_endpoints());
    view.network.prefix_lists.clear();
    let denied: AwsReading<Vec<ipnet::IpNet>> = denied("ec2:GetManagedPrefixListEntries");
    view.network.prefix_lists.insert("pl-0a1".to_owned(), denied);
    let open = lines(&needs, &view);
    assert!(ids(&open, CheckOutcome::Unknown).is_empty(), "{}", text(&open));
    task_group(&mut view.network).egress = out_to_endpoints();
    let inside = fargate_aws::AclEntry {
        cidr: "10.0.0.0/16".parse().unwrap(),
        ..entry(100, false, true, PortRange::ALL)
    };
    own_acl(&mut view.network, vec![entry(100, true, true, PortRange::ALL), inside]);
    let tight = lines(&needs, &view);
    let unknown = BTreeSet::from(["group-egress", "network-acls"]);
    assert_eq!(ids(&tight, CheckOutcome::Unknown), unknown, "{}", text(&tight));
    assert!(ids(&tight, CheckOutcome::Fail).is_empty(), "{}", text(&tight));
}

#[test]
fn the_group_of_the_manager_may_name_tasks_by_their_group_or_by_their_addresses() {
    let list = fargate_aws::GroupPeer::PrefixList("pl-0c3".to_owned());
    for (to_tasks, outcome) in [
        (fargate_aws::GroupPeer::Group("sg-0a1".to_owned()), CheckOutcome::Pass),
        (cidr("10.0.0.0/22"), CheckOutcome::Pass),
        (cidr("10.0.101.0/24"), CheckOutcome::Fail),
        (list, CheckOutcome::Unknown),
    ] {
        let (needs, mut view) = (needs("registry.example/ci:1"), with_nat_gateways());
        group(&mut view.network, "sg-0b2").egress =
            vec![rule(TrafficProtocol::Tcp, PortRange::one(22), to_tasks.clone())];
        let found = lines(&needs, &view);
        assert!(ids(&found, outcome).contains("ssh-access"), "{to_tasks:?}:\n{}", text(&found));
    }
}

#[test]
fn what_the_group_of_the_manager_lets_out_is_unknown_as_long_as_nobody_says_the_group() {
    let (mut needs, mut view) = (needs("registry.example/ci:1"), with_nat_gateways());
    needs.manager.address = Some("10.0.50.7".parse().unwrap());
    task_group(&mut view.network).ingress[0].peers = vec![cidr("10.0.50.7/32")];
    let found = lines(&needs, &view);
    let unknown = BTreeSet::from(["ssh-access"]);
    assert_eq!(ids(&found, CheckOutcome::Unknown), unknown, "{}", text(&found));
    assert!(text(&found).contains("--manager-group"), "{}", text(&found));
    needs.manager.groups = vec!["sg-0b2".to_owned()];
    let found = lines(&needs, &view);
    assert!(ids(&found, CheckOutcome::Unknown).is_empty(), "{}", text(&found));
    needs.manager.groups = vec!["sg-0f6".to_owned()];
    let found = lines(&needs, &view);
    assert_eq!(ids(&found, CheckOutcome::Unknown), unknown, "{}", text(&found));
}

/// Who else may connect beside the manager, and whether it is a warning: where the manager is known by this host,
/// and where nobody knows it.
const SSH_SOURCES: &[(&str, bool, bool)] = &[
    ("10.0.50.7/32", false, false),
    ("10.0.50.0/24", false, false),
    ("10.0.0.0/16", false, false),
    ("10.0.0.0/15", true, false),
    ("10.0.0.0/8", true, false),
    ("10.0.51.0/24", true, false),
    ("192.168.0.0/16", true, false),
    ("140.82.112.0/20", true, true),
    ("140.82.112.7/32", true, false),
    ("64.0.0.0/8", true, true),
    ("2600:1f18::/33", true, true),
    ("fd00::/8", false, false),
];

#[test]
fn a_rule_for_ssh_that_lets_in_more_than_the_manager_is_a_warning_with_what_to_allow_instead() {
    for (source, is_told_here, is_told_outside) in SSH_SOURCES {
        let (needs, mut view) = (needs("registry.example/ci:1"), with_nat_gateways());
        task_group(&mut view.network).ingress[0].peers.push(cidr(source));
        let found = lines(&needs, &view);
        let is_told = ids(&found, CheckOutcome::Warn).contains("open-rules");
        assert_eq!(is_told, *is_told_here, "{source}:\n{}", text(&found));
        let said = format!(
            "Warn open-rules: sg-0a1 lets {source} in on port 22, which is more than the manager\n    \
             let in the manager's group sg-0b2 instead, then remove this rule\n    \
             aws ec2 revoke-security-group-ingress --group-id sg-0a1"
        );
        assert_eq!(text(&found).contains(&said), *is_told_here, "{source}:\n{}", text(&found));
        assert!(ids(&found, CheckOutcome::Fail).is_empty(), "{source}:\n{}", text(&found));
        known(&mut view.network.manager).interfaces.clear();
        let found = lines(&needs, &view);
        let is_told = ids(&found, CheckOutcome::Warn).contains("open-rules");
        assert_eq!(is_told, *is_told_outside, "outside, {source}:\n{}", text(&found));
    }
}

#[test]
fn a_rule_for_ssh_from_another_group_is_a_warning_if_the_group_of_the_manager_is_known() {
    let other = || fargate_aws::GroupPeer::Group("sg-0c3".to_owned());
    let (needs, mut view) = (needs("registry.example/ci:1"), with_nat_gateways());
    task_group(&mut view.network).ingress[0].peers.push(other());
    let found = lines(&needs, &view);
    assert!(text(&found).contains("sg-0a1 lets sg-0c3 in on port 22"), "{}", text(&found));
    known(&mut view.network.manager).interfaces.clear();
    let found = lines(&needs, &view);
    assert!(ids(&found, CheckOutcome::Warn).is_empty(), "{}", text(&found));
}

#[test]
fn a_group_that_lets_out_to_a_few_networks_is_a_warning_with_their_names() {
    let (needs, mut view) = (needs("registry.example/ci:1"), with_nat_gateways());
    let out = &mut task_group(&mut view.network).egress;
    out[0].peers = vec![cidr("140.82.0.0/16"), cidr("10.0.0.0/16")];
    let found = lines(&needs, &view);
    assert_eq!(
        ids(&found, CheckOutcome::Warn),
        BTreeSet::from(["group-egress"]),
        "{}",
        text(&found)
    );
    assert!(text(&found).contains("140.82.0.0/16"), "{}", text(&found));
}

#[test]
fn the_addresses_that_jobs_leave_from_are_those_of_their_nat_gateways() {
    let checked = check_account(&needs("registry.example/ci:1"), &with_nat_gateways());
    let found: Vec<String> =
        checked.egress.iter().map(|it| format!("{} {}", it.address, it.zone)).collect();
    assert_eq!(found, ["203.0.113.17 eu-west-1a", "203.0.113.18 eu-west-1b"]);
}

#[test]
fn two_profiles_are_named_only_where_they_differ() {
    let (mut needs, view) = (needs("registry.example/ci:1"), with_nat_gateways());
    let mut other = needs.profiles[0].clone();
    needs.profiles[0].name = Some("linux".to_owned());
    other.name = Some("large".to_owned());
    needs.profiles.push(other);
    assert!(!text(&lines(&needs, &view)).contains("profile"));
    needs.profiles[1].subnets = vec!["subnet-0a1".to_owned()];
    let said = text(&lines(&needs, &view));
    assert!(
        said.contains(
            "Warn subnets: 1 subnet in vpc-1, all in one zone, eu-west-1a (profile large)"
        )
    );
}
