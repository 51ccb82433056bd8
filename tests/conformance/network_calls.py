"""Asks for the networks of a cloud through boto3: private subnets that go out through one NAT gateway."""

OPERATIONS = {
    "DescribeSubnets", "DescribeRouteTables", "DescribeNatGateways", "DescribeInternetGateways",
    "DescribeVpcs", "DescribeVpcAttribute", "DescribeNetworkAcls", "DescribeSecurityGroups",
    "DescribeVpcEndpoints",
}
PRIVATE = "subnet-0a1b2c3d4e5f60718"
TASKS = "sg-0c3d4e5f60718293b"


def by(name, *values):
    return [{"Name": name, "Values": list(values)}]


def play(ec2, expect, code_of):
    """Follows the way from a subnet to the internet as a client does, with `ec2`."""
    subnet = ec2.describe_subnets(SubnetIds=[PRIVATE])["Subnets"][0]
    expect(subnet["AvailableIpAddressCount"] > 200, f"free addresses: {subnet}")
    vpc = subnet["VpcId"]
    shown = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    expect([one["CidrBlock"] for one in shown] == ["10.0.0.0/16"], f"the VPC: {shown}")
    for attribute, member in (("enableDnsSupport", "EnableDnsSupport"),
                              ("enableDnsHostnames", "EnableDnsHostnames")):
        told = ec2.describe_vpc_attribute(VpcId=vpc, Attribute=attribute)
        expect(told[member] == {"Value": True}, f"{attribute}: {told}")
    way_out(ec2, vpc, expect)
    rules(ec2, vpc, expect)
    endpoints = ec2.describe_vpc_endpoints(Filters=by("vpc-id", vpc))["VpcEndpoints"]
    expect(endpoints == [], f"endpoints: {endpoints}")
    bad_input(ec2, vpc, expect, code_of)


def way_out(ec2, vpc, expect):
    tables = ec2.describe_route_tables(Filters=by("association.subnet-id", PRIVATE))["RouteTables"]
    routes = {one.get("DestinationCidrBlock"): one for one in tables[0]["Routes"]}
    expect(routes["10.0.0.0/16"]["GatewayId"] == "local", f"the local route: {routes}")
    nat_id = routes["0.0.0.0/0"]["NatGatewayId"]
    nat = ec2.describe_nat_gateways(NatGatewayIds=[nat_id])["NatGateways"][0]
    address = nat["NatGatewayAddresses"][0]["PublicIp"]
    expect((nat["State"], address) == ("available", "203.0.113.25"), f"the NAT gateway: {nat}")
    public = ec2.describe_route_tables(
        Filters=by("association.subnet-id", nat["SubnetId"]))["RouteTables"][0]
    gateway = [one["GatewayId"] for one in public["Routes"]
               if one.get("DestinationCidrBlock") == "0.0.0.0/0"]
    known = ec2.describe_internet_gateways(Filters=by("attachment.vpc-id", vpc))["InternetGateways"]
    expect(gateway == [one["InternetGatewayId"] for one in known], f"the internet: {known}")
    main = ec2.describe_route_tables(Filters=by("vpc-id", vpc) + by("association.main", "true"))
    expect(len(main["RouteTables"]) == 1, f"the main table: {main}")


def rules(ec2, vpc, expect):
    group = ec2.describe_security_groups(GroupIds=[TASKS])["SecurityGroups"][0]
    ingress = [(one["FromPort"], one["ToPort"], len(one["UserIdGroupPairs"]))
               for one in group["IpPermissions"]]
    expect(ingress == [(22, 22, 1)], f"what comes in: {ingress}")
    ports = sorted(one["FromPort"] for one in group["IpPermissionsEgress"])
    expect(ports == [53, 53, 443, 2049], f"what goes out: {ports}")
    acl = ec2.describe_network_acls(Filters=by("association.subnet-id", PRIVATE))["NetworkAcls"][0]
    entries = sorted((one["Egress"], one["RuleNumber"], one["RuleAction"]) for one in acl["Entries"])
    expect(acl["IsDefault"] and acl["VpcId"] == vpc, f"the ACL: {acl}")
    expect(entries == [(False, 100, "allow"), (False, 32767, "deny"), (True, 100, "allow"),
                       (True, 32767, "deny")], f"its rules: {entries}")


def bad_input(ec2, vpc, expect, code_of):
    for call, arguments, code in (
        (ec2.describe_subnets, {"SubnetIds": ["subnet-00000000"]}, "InvalidSubnetID.NotFound"),
        (ec2.describe_vpcs, {"VpcIds": ["vpc-00000000"]}, "InvalidVpcID.NotFound"),
        (ec2.describe_vpc_attribute, {"VpcId": "vpc-00000000", "Attribute": "enableDnsSupport"},
         "InvalidVpcID.NotFound"),
        (ec2.describe_route_tables, {"RouteTableIds": ["rtb-0"]}, "InvalidRouteTableID.NotFound"),
        (ec2.describe_nat_gateways, {"NatGatewayIds": ["nat-0"]}, "NatGatewayNotFound"),
        (ec2.describe_internet_gateways, {"InternetGatewayIds": ["igw-0"]},
         "InvalidInternetGatewayID.NotFound"),
        (ec2.describe_network_acls, {"NetworkAclIds": ["acl-0"]}, "InvalidNetworkAclID.NotFound"),
        (ec2.describe_security_groups, {"GroupIds": ["sg-00000000"]}, "InvalidGroup.NotFound"),
        (ec2.describe_vpc_endpoints, {"VpcEndpointIds": ["vpce-0"]},
         "InvalidVpcEndpointId.NotFound"),
        (ec2.describe_vpcs, {"Filters": by("colour", "red")}, "InvalidParameterValue"),
        (ec2.describe_vpc_attribute, {"VpcId": vpc, "Attribute": "colour"},
         "InvalidParameterValue"),
    ):
        expect(code_of(call, **arguments) == code, f"{call.__name__} {arguments}: not {code}")
