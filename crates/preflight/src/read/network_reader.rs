//! Reads the VPC in three waves of calls, each side by side: what the configuration names; then all of
//! the VPCs that it is in; then what their rules and settings refer to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use fargate_aws::{
    AwsAccount, CallError, GroupPeer, RouteDestination, SecurityGroup, VpcRouteTable, VpcShape,
    VpcSubnet, retry,
};
use ipnet::IpNet;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::job_needs::{GivenManager, JobNeeds};
use crate::reading::AwsReading;
use crate::views::{ManagerPlace, NetworkView, VpcView};

/// Most prefix lists that are read. Ours: a task has five groups at most.
const MAX_PREFIX_LISTS: usize = 20;

/// Reads the network. It ends at the deadline.
pub async fn read_network(
    account: &AwsAccount,
    needs: &JobNeeds,
    deadline: Instant,
) -> NetworkView {
    let reader = NetworkReader { account, deadline };
    let (task_subnets, task_groups) = reader.named(needs).await;
    let vpcs = vpcs_of(&task_subnets, &task_groups);
    let view = NetworkView { task_subnets, task_groups, ..NetworkView::default() };
    match vpcs {
        AwsReading::Known(vpcs) if vpcs.is_empty() => view,
        AwsReading::Known(vpcs) => {
            let view = reader.whole_vpcs(view, &vpcs).await;
            reader.referred(view, needs).await
        }
        AwsReading::NotAllowed { .. } | AwsReading::NotRead { .. } => without_vpcs(view, &vpcs),
    }
}

struct NetworkReader<'a> {
    account: &'a AwsAccount,
    deadline: Instant,
}

impl NetworkReader<'_> {
    async fn reading<T, F>(&self, right: &str, call: impl FnMut() -> F) -> AwsReading<T>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        AwsReading::of(right, retry(self.deadline, call).await)
    }

    /// The first wave: what the configuration names.
    async fn named(
        &self,
        needs: &JobNeeds,
    ) -> (AwsReading<Vec<VpcSubnet>>, AwsReading<Vec<SecurityGroup>>) {
        let all = |of: fn(&fargate_config::JobProfile) -> &Vec<String>| -> Vec<String> {
            let ids: BTreeSet<&String> = needs.profiles.iter().flat_map(of).collect();
            ids.into_iter().cloned().collect()
        };
        let subnets = all(|profile| &profile.subnets);
        let groups = all(|profile| &profile.security_groups);
        tokio::join!(
            self.reading("ec2:DescribeSubnets", || self.account.subnets_by_id(&subnets)),
            self.reading("ec2:DescribeSecurityGroups", || {
                self.account.security_groups_by_id(&groups)
            }),
        )
    }

    /// The second wave: all that is in the VPCs.
    async fn whole_vpcs(&self, view: NetworkView, vpcs: &[String]) -> NetworkView {
        let ec2 = self.account;
        let (
            subnets,
            groups,
            route_tables,
            nat_gateways,
            internet_gateways,
            acls,
            endpoints,
            shapes,
            dns,
        ) = tokio::join!(
            self.reading("ec2:DescribeSubnets", || ec2.subnets_of_vpcs(vpcs)),
            self.reading("ec2:DescribeSecurityGroups", || ec2.security_groups_of_vpcs(vpcs)),
            self.reading("ec2:DescribeRouteTables", || ec2.route_tables(vpcs)),
            self.reading("ec2:DescribeNatGateways", || ec2.nat_gateways(vpcs)),
            self.reading("ec2:DescribeInternetGateways", || ec2.internet_gateways(vpcs)),
            self.reading("ec2:DescribeNetworkAcls", || ec2.network_acls(vpcs)),
            self.reading("ec2:DescribeVpcEndpoints", || ec2.vpc_endpoints(vpcs)),
            self.reading("ec2:DescribeVpcs", || ec2.vpcs(vpcs)),
            self.dns_of(vpcs),
        );
        NetworkView {
            subnets,
            groups,
            route_tables,
            nat_gateways,
            internet_gateways,
            acls,
            endpoints,
            vpcs: shapes,
            dns,
            ..view
        }
    }
    /// The DNS attributes of each VPC.
    async fn dns_of(&self, vpcs: &[String]) -> BTreeMap<String, VpcView> {
        let mut asked = JoinSet::new();
        for vpc in vpcs {
            let (account, vpc, deadline) = (self.account.clone(), vpc.clone(), self.deadline);
            asked.spawn(async move {
                let answer = retry(deadline, || account.vpc_dns(&vpc)).await;
                (vpc, AwsReading::of("ec2:DescribeVpcAttribute", answer))
            });
        }
        let answers = asked.join_all().await.into_iter();
        answers
            .map(|(vpc, attributes)| (vpc, VpcView { attributes, ..VpcView::default() }))
            .collect()
    }

    /// The third wave: what rules, routes and settings refer to, and where this host is.
    async fn referred(&self, view: NetworkView, needs: &JobNeeds) -> NetworkView {
        let options = view.vpcs.known().cloned().unwrap_or_default();
        let (prefix_lists, servers, manager) = tokio::join!(
            self.prefix_lists(lists_in(&view)),
            self.dns_servers(&options),
            self.manager(&view, needs),
        );
        let mut view = NetworkView { prefix_lists, manager, ..view };
        // Few managers have a rule with a list, so few runs wait for this further wave.
        let mut further = manager_lists(&view, needs);
        further.retain(|list| !view.prefix_lists.contains_key(list));
        let further = self.prefix_lists(further).await;
        view.prefix_lists.extend(further);
        if let Some(failed) = view.vpcs.failed::<Vec<String>>() {
            view.dns.values_mut().for_each(|dns| dns.servers = failed.clone());
        }
        for (vpc, servers) in servers {
            view.dns.entry(vpc).or_default().servers = servers;
        }
        view
    }

    async fn prefix_lists(
        &self,
        lists: BTreeSet<String>,
    ) -> BTreeMap<String, AwsReading<Vec<IpNet>>> {
        let mut asked = JoinSet::new();
        for list in lists.into_iter().take(MAX_PREFIX_LISTS) {
            let (account, deadline) = (self.account.clone(), self.deadline);
            asked.spawn(async move {
                let answer = retry(deadline, || account.prefix_list(&list)).await;
                (list, AwsReading::of("ec2:GetManagedPrefixListEntries", answer))
            });
        }
        asked.join_all().await.into_iter().collect()
    }

    async fn dns_servers(&self, vpcs: &[VpcShape]) -> Vec<(String, AwsReading<Vec<String>>)> {
        let mut asked = JoinSet::new();
        for vpc in vpcs {
            let (account, deadline, vpc) = (self.account.clone(), self.deadline, vpc.clone());
            asked.spawn(async move {
                if ["", "default"].contains(&vpc.dhcp_options.as_str()) {
                    return (vpc.id, AwsReading::Known(Vec::new()));
                }
                let answer = retry(deadline, || account.dns_servers(&vpc.dhcp_options)).await;
                (vpc.id, AwsReading::of("ec2:DescribeDhcpOptions", answer))
            });
        }
        asked.join_all().await
    }

    /// Where this host is, unless whoever runs the check says it.
    async fn manager(&self, view: &NetworkView, needs: &JobNeeds) -> AwsReading<ManagerPlace> {
        if needs.manager != GivenManager::default() {
            return AwsReading::NotRead {
                why: "whoever runs the check says where it is".to_owned(),
            };
        }
        let subnets = view.task_subnets.known().into_iter().flatten();
        let Some(towards) = subnets.filter_map(|subnet| subnet.cidr).next() else {
            return AwsReading::NotRead { why: "no subnet with addresses was found".to_owned() };
        };
        match own_address(towards.addr().into()).await {
            Err(error) => {
                AwsReading::NotRead { why: format!("this host has no route to {towards}: {error}") }
            }
            Ok(address) => {
                let right = "ec2:DescribeNetworkInterfaces";
                let found = self.reading(right, || self.account.interfaces_with(address)).await;
                found.map(|interfaces| ManagerPlace { address, interfaces })
            }
        }
    }
}

/// The address with which this host would connect. A connected UDP socket sends nothing.
async fn own_address(towards: IpAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = match towards {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    // The port is of no meaning, but must not be 0.
    socket.connect(SocketAddr::new(towards, 22)).await?;
    Ok(socket.local_addr()?.ip())
}

/// The VPCs of what the configuration names.
fn vpcs_of(
    subnets: &AwsReading<Vec<VpcSubnet>>,
    groups: &AwsReading<Vec<SecurityGroup>>,
) -> AwsReading<Vec<String>> {
    let of_subnets = subnets.known().into_iter().flatten().map(|subnet| &subnet.vpc);
    let mut vpcs: BTreeSet<&String> = of_subnets.collect();
    if vpcs.is_empty() {
        vpcs = groups.known().into_iter().flatten().map(|group| &group.vpc).collect();
    }
    match (vpcs.is_empty(), subnets.failed()) {
        (true, Some(failed)) => failed,
        _ => AwsReading::Known(vpcs.into_iter().cloned().collect()),
    }
}

/// Nothing can be asked of a VPC that is not known, for the reason why it is not.
fn without_vpcs(view: NetworkView, vpcs: &AwsReading<Vec<String>>) -> NetworkView {
    NetworkView {
        subnets: vpcs.failed().unwrap_or_default(),
        groups: vpcs.failed().unwrap_or_default(),
        route_tables: vpcs.failed().unwrap_or_default(),
        nat_gateways: vpcs.failed().unwrap_or_default(),
        internet_gateways: vpcs.failed().unwrap_or_default(),
        acls: vpcs.failed().unwrap_or_default(),
        endpoints: vpcs.failed().unwrap_or_default(),
        vpcs: vpcs.failed().unwrap_or_default(),
        ..view
    }
}

/// The prefix lists that a group names.
fn lists_of(group: &SecurityGroup) -> Vec<String> {
    let peers = group.ingress.iter().chain(&group.egress).flat_map(|rule| &rule.peers);
    peers
        .filter_map(|peer| match peer {
            GroupPeer::PrefixList(list) => Some(list.clone()),
            GroupPeer::Cidr(_) | GroupPeer::Group(_) => None,
        })
        .collect()
}

/// The prefix lists that the groups of the manager name.
fn manager_lists(view: &NetworkView, needs: &JobNeeds) -> BTreeSet<String> {
    let found = view.manager.known().into_iter().flat_map(|place| &place.interfaces);
    let own: BTreeSet<&String> =
        found.flat_map(|interface| &interface.groups).chain(&needs.manager.groups).collect();
    let groups = view.groups.known().into_iter().flatten();
    groups.filter(|group| own.contains(&group.id)).flat_map(lists_of).collect()
}

/// The prefix lists that task groups and routes name.
fn lists_in(view: &NetworkView) -> BTreeSet<String> {
    let routes = |table: &VpcRouteTable| {
        let lists = table.routes.iter().filter_map(|route| match &route.destination {
            RouteDestination::PrefixList(list) => Some(list.clone()),
            RouteDestination::Cidr(_) => None,
        });
        lists.collect::<Vec<_>>()
    };
    let of_groups = view.task_groups.known().into_iter().flatten().flat_map(lists_of);
    let of_tables = view.route_tables.known().into_iter().flatten().flat_map(routes);
    of_groups.chain(of_tables).collect()
}
