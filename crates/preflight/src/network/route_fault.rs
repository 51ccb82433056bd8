//! Why a task has no way out, in words, with what mends it.

use crate::check_finding::CheckFinding;

/// Why packets are lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteFault {
    /// The VPC has no main route table.
    NoTable,
    /// No route is for the address.
    NoRoute {
        /// The route table.
        table: String,
    },
    /// The route's target is gone.
    Blackhole {
        /// The route table.
        table: String,
        /// What the route leads to.
        target: Option<String>,
    },
    /// The NAT gateway is not there.
    NatMissing {
        /// The route table.
        table: String,
        /// The NAT gateway.
        nat: String,
    },
    /// The NAT gateway does not work.
    NatNotAvailable {
        /// The NAT gateway.
        nat: String,
        /// Its state.
        state: String,
        /// Why it failed.
        failure: Option<String>,
    },
    /// The NAT gateway leads to private networks only.
    NatPrivate {
        /// The NAT gateway.
        nat: String,
    },
    /// The NAT gateway itself has no way to the internet.
    NatWithoutInternet {
        /// The NAT gateway.
        nat: String,
        /// The subnet that it stands in.
        subnet: Option<String>,
        /// The route table of that subnet.
        table: String,
    },
    /// The internet gateway is not attached to the VPC.
    GatewayDetached {
        /// The internet gateway.
        gateway: String,
        /// The VPC.
        vpc: String,
    },
    /// An internet gateway, and tasks without public addresses.
    WithoutPublicAddress {
        /// The route table.
        table: String,
        /// The internet gateway.
        gateway: String,
    },
}

/// A way that cannot be judged from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnseenWay {
    /// It leads to this.
    Target(String),
    /// The answers do not come straight back.
    Answers {
        /// The route table of a gateway that leads them elsewhere.
        table: String,
        /// What they pass; `None` if it was deleted.
        target: Option<String>,
    },
    /// A route is for this prefix list, whose prefixes are not known.
    List(String),
    /// A part of it could not be read.
    NotRead(CheckFinding),
}

impl RouteFault {
    /// What was found.
    pub fn found(&self) -> String {
        match self {
            Self::NoTable => "the VPC has no main route table".to_owned(),
            Self::NoRoute { table } => {
                format!("the route table {table} has no route to the internet (0.0.0.0/0)")
            }
            Self::Blackhole { table, target } => {
                let target = target.as_deref().unwrap_or("something that was deleted");
                format!("in the route table {table} the route to {target} is a blackhole")
            }
            Self::NatMissing { table, nat } => {
                format!(
                    "the route table {table} leads to the NAT gateway {nat}, which does not exist"
                )
            }
            Self::NatNotAvailable { nat, state, failure } => {
                let failure = failure.as_ref().map_or(String::new(), |why| format!(": {why}"));
                format!("the NAT gateway {nat} is {state}{failure}")
            }
            Self::NatPrivate { nat } => {
                format!("the NAT gateway {nat} is private, so it does not lead to the internet")
            }
            Self::NatWithoutInternet { nat, subnet, table } => {
                let place =
                    subnet.as_ref().map_or(String::new(), |id| format!(" stands in {id} and"));
                format!(
                    "the NAT gateway {nat}{place} has no route to an internet gateway ({table})"
                )
            }
            Self::GatewayDetached { gateway, vpc } => {
                format!("the internet gateway {gateway} is not attached to {vpc}")
            }
            Self::WithoutPublicAddress { table, gateway } => format!(
                "the route table {table} leads to the internet gateway {gateway}, and tasks have no public \
                 address"
            ),
        }
    }

    /// What to do, and the command for it. `nat` is a NAT gateway of the VPC that works, if there is one,
    /// and `gateway` an internet gateway that is attached.
    pub fn fix(&self, nat: Option<&str>, gateway: Option<&str>) -> (String, String) {
        let nat_id = nat.unwrap_or("NAT_GATEWAY_ID");
        let gateway_id = gateway.unwrap_or("INTERNET_GATEWAY_ID");
        let route = |verb: &str, table: &str, target: &str| {
            format!(
                "aws ec2 {verb}-route --route-table-id {table} --destination-cidr-block 0.0.0.0/0 {target}"
            )
        };
        let towards_nat = format!("--nat-gateway-id {nat_id}");
        let new_nat = "aws ec2 create-nat-gateway --subnet-id PUBLIC_SUBNET_ID --allocation-id \
                       ELASTIC_IP_ALLOCATION_ID";
        let made = match nat {
            Some(_) => "",
            None => "; the VPC has none that works: make one in a public subnet first",
        };
        match self {
            Self::NoTable => (
                "associate a route table with the subnet".to_owned(),
                "aws ec2 associate-route-table --subnet-id SUBNET_ID --route-table-id ROUTE_TABLE_ID"
                    .to_owned(),
            ),
            Self::NoRoute { table } => (
                format!("give the route table a route to a NAT gateway{made}"),
                route("create", table, &towards_nat),
            ),
            Self::Blackhole { table, .. } | Self::NatMissing { table, .. } => (
                format!("lead the route to a NAT gateway that exists{made}"),
                route("replace", table, &towards_nat),
            ),
            Self::NatNotAvailable { .. } | Self::NatPrivate { .. } => (
                "make a public NAT gateway, and lead the route to it".to_owned(),
                new_nat.to_owned(),
            ),
            Self::NatWithoutInternet { table, .. } => (
                "give the subnet of the NAT gateway a route to the internet gateway".to_owned(),
                route("create", table, &format!("--gateway-id {gateway_id}")),
            ),
            Self::GatewayDetached { gateway, vpc } => (
                "attach the internet gateway".to_owned(),
                format!(
                    "aws ec2 attach-internet-gateway --internet-gateway-id {gateway} --vpc-id {vpc}"
                ),
            ),
            Self::WithoutPublicAddress { table, .. } => (
                format!(
                    "lead the route to a NAT gateway{made}; or `public_ip = \"assigned\"`, if tasks may have \
                     public addresses"
                ),
                route("replace", table, &towards_nat),
            ),
        }
    }
}

impl UnseenWay {
    /// What a check says of it. `places` names the subnets.
    pub fn finding(&self, places: &str) -> CheckFinding {
        let probe = "run `fargate-runner check --probe`: a small task tries it";
        match self {
            Self::Target(id) => CheckFinding::unknown(format!(
                "{places}: the way out leads to {id}, and where it goes from there cannot be seen from here"
            ))
            .fix(probe),
            Self::Answers { target: Some(id), .. } => CheckFinding::unknown(format!(
                "{places}: the answers pass {id}, and whether they come back from there cannot be seen from here"
            ))
            .fix(probe),
            Self::Answers { table, target: None } => CheckFinding::unknown(format!(
                "{places}: the route table {table} leads the answers to something that was deleted, and whether \
                 they come back cannot be seen from here"
            ))
            .fix(probe),
            Self::List(list) => CheckFinding::unknown(format!(
                "{places}: a route is for the prefix list {list}, whose prefixes are not known"
            ))
            .fix("allow ec2:GetManagedPrefixListEntries to whoever runs the check"),
            Self::NotRead(finding) => finding.clone(),
        }
    }
}
