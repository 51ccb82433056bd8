//! Subnets with addresses of IPv6: beside those of IPv4, and alone.

use fargate_aws::{PortRange, RouteDestination, RouteTarget, TrafficProtocol, VpcRoute};
use fargate_status_answers::{CheckLine, CheckOutcome};

use crate::account_view::AccountView;
use crate::check_run::check_account;
use crate::network::sample_network::{cidr, entry, needs, rule, with_nat_gateways};
use crate::reading::AwsReading;

type Change = fn(&mut AccountView);

fn known<T>(reading: &mut AwsReading<T>) -> &mut T {
    match reading {
        AwsReading::Known(value) => value,
        AwsReading::NotAllowed { .. } | AwsReading::NotRead { .. } => {
            panic!("the sample knows everything")
        }
    }
}

/// The network of NAT gateways whose subnets of tasks have IPv6 as well, with all that this needs.
fn dual_stack() -> AccountView {
    let mut view = with_nat_gateways();
    let net = &mut view.network;
    for subnets in [&mut net.task_subnets, &mut net.subnets] {
        for (number, subnet) in known(subnets).iter_mut().take(2).enumerate() {
            subnet.ipv6_cidr = Some(format!("2a05:d018:1:{number}::/64").parse().unwrap());
        }
    }
    for table in known(&mut net.route_tables).iter_mut().take(2) {
        table.routes.push(VpcRoute {
            destination: RouteDestination::Cidr("::/0".parse().unwrap()),
            target: RouteTarget::EgressOnly("eigw-0a1".to_owned()),
            is_active: true,
        });
    }
    for is_egress in [true, false] {
        let open = entry(110, is_egress, true, PortRange::ALL);
        let open = fargate_aws::AclEntry { cidr: "::/0".parse().unwrap(), ..open };
        known(&mut net.acls)[0].entries.push(open);
    }
    let out = rule(TrafficProtocol::Tcp, PortRange::one(443), cidr("::/0"));
    known(&mut net.task_groups)[0].egress.push(out);
    view
}

/// The same without addresses of IPv4.
fn ipv6_alone() -> AccountView {
    let mut view = dual_stack();
    let net = &mut view.network;
    for subnets in [&mut net.task_subnets, &mut net.subnets] {
        known(subnets).iter_mut().take(2).for_each(|subnet| subnet.cidr = None);
    }
    view
}

/// The lines of the two ways out.
fn ways(view: &AccountView) -> Vec<CheckLine> {
    let lines = check_account(&needs("registry.example/ci:1"), view).lines;
    lines.into_iter().filter(|line| line.id.ends_with("way-out")).collect()
}

fn text(lines: &[CheckLine]) -> String {
    let line = |it: &CheckLine| {
        let fix = it.fix.iter().chain(&it.command).map(|fix| format!("\n    {fix}"));
        format!("{:?} {}: {}{}\n", it.outcome, it.id, it.found, fix.collect::<String>())
    };
    lines.iter().map(line).collect()
}

const BREAKS: &[(&str, Change)] = &[
    ("no route", |view| {
        for table in known(&mut view.network.route_tables).iter_mut().take(2) {
            table.routes.pop();
        }
    }),
    ("a gateway that was deleted", |view| {
        for table in known(&mut view.network.route_tables).iter_mut().take(2) {
            table.routes[2].is_active = false;
        }
    }),
    ("no rule of the group", |view| {
        known(&mut view.network.task_groups)[0].egress.pop();
    }),
    ("an ACL without IPv6", |view| {
        known(&mut view.network.acls)[0].entries.truncate(2);
    }),
    ("an ACL without answers", |view| {
        known(&mut view.network.acls)[0].entries.truncate(3);
    }),
];

#[test]
fn both_kinds_of_addresses_with_a_way_out_pass() {
    let found = ways(&dual_stack());
    assert!(found.iter().all(|line| line.outcome == CheckOutcome::Pass), "{}", text(&found));
    assert!(text(&found).contains("through eigw-0a1 over IPv6"), "{}", text(&found));
    let mut open = dual_stack();
    for table in known(&mut open.network.route_tables).iter_mut().take(2) {
        table.routes[2].target = RouteTarget::Internet("igw-0a1".to_owned());
    }
    let found = ways(&open);
    assert!(found.iter().all(|line| line.outcome == CheckOutcome::Pass), "{}", text(&found));
}

#[test]
fn addresses_of_ipv6_without_a_way_out_are_a_warning_beside_a_way_over_ipv4() {
    let mut report = String::new();
    for (what, change) in BREAKS {
        let mut view = dual_stack();
        change(&mut view);
        let found = ways(&view);
        let warned: Vec<CheckLine> =
            found.iter().filter(|line| line.outcome == CheckOutcome::Warn).cloned().collect();
        let is_mine = warned.iter().all(|line| line.id == "ipv6-way-out");
        assert!(!warned.is_empty() && is_mine, "{what}: {}", text(&found));
        let failed = |line: &CheckLine| line.outcome == CheckOutcome::Fail;
        assert!(!found.iter().any(failed), "{what}: {}", text(&found));
        report += &format!("{what}\n{}\n", text(&warned));
    }
    insta::assert_snapshot!(report);
}

#[test]
fn a_way_out_over_ipv6_alone_is_never_passed() {
    let mut report = String::new();
    let mut lost = dual_stack();
    for table in known(&mut lost.network.route_tables).iter_mut().take(2) {
        table.routes[1].is_active = false;
    }
    for (what, view) in [("no way over IPv4", lost), ("no addresses of IPv4", ipv6_alone())] {
        let found = ways(&view);
        let way = found.iter().find(|line| line.id == "way-out").unwrap();
        assert_eq!(way.outcome, CheckOutcome::Unknown, "{what}: {}", text(&found));
        report += &format!("{what}\n{}\n", text(&found));
    }
    insta::assert_snapshot!(report);
}

#[test]
fn a_subnet_of_ipv6_alone_that_lets_nothing_out_fails() {
    for (what, change) in BREAKS {
        let mut view = ipv6_alone();
        change(&mut view);
        let found = ways(&view);
        let way = found.iter().find(|line| line.id == "way-out").unwrap();
        assert_eq!(way.outcome, CheckOutcome::Fail, "{what}: {}", text(&found));
    }
}

#[test]
fn a_firewall_on_the_way_over_ipv6_is_unknown() {
    let mut view = dual_stack();
    for table in known(&mut view.network.route_tables).iter_mut().take(2) {
        table.routes[2].target = RouteTarget::Endpoint("vpce-0a9".to_owned());
    }
    let found = ways(&view);
    let way = found.iter().find(|line| line.id == "ipv6-way-out").unwrap();
    assert_eq!(way.outcome, CheckOutcome::Unknown, "{}", text(&found));
    assert!(way.found.contains("vpce-0a9"), "{}", text(&found));
}
