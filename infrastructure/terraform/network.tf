# The network: private subnets for tasks, and their only way out.

locals {
  new_vpc      = var.existing_vpc_id == ""
  own_subnets  = length(var.existing_subnet_ids) == 0
  added_range  = !local.new_vpc && local.own_subnets
  ipv6         = local.new_vpc && local.own_subnets && var.enable_ipv6
  own_zones    = local.own_subnets ? var.zone_count : 0
  public_zones = local.new_vpc ? var.zone_count : 0
  nat_zones    = local.own_subnets ? (var.nat_gateways == "per-zone" ? var.zone_count : 1) : 0
  ipv6_zones   = local.ipv6 ? var.zone_count : 0
  zones        = length(var.zones) > 0 ? var.zones : data.aws_availability_zones.available.names
  new_bits     = 32 - var.subnet_host_bits - tonumber(split("/", var.network_cidr)[1])

  vpc_id             = local.new_vpc ? aws_vpc.vpc[0].id : var.existing_vpc_id
  private_subnet_ids = local.own_subnets ? aws_subnet.private_subnet[*].id : var.existing_subnet_ids
}

resource "aws_vpc" "vpc" {
  count      = local.new_vpc ? 1 : 0
  cidr_block = var.network_cidr
  # EFS is found by its name, and so are the endpoints of AWS.
  enable_dns_support               = true
  enable_dns_hostnames             = true
  assign_generated_ipv6_cidr_block = local.ipv6
  tags                             = { Name = var.name }

  lifecycle {
    precondition {
      condition     = local.own_subnets
      error_message = "existing_subnet_ids is given without existing_vpc_id."
    }
  }
}

resource "aws_vpc_ipv4_cidr_block_association" "added_range" {
  count      = local.added_range ? 1 : 0
  vpc_id     = var.existing_vpc_id
  cidr_block = var.network_cidr
}

resource "aws_internet_gateway" "internet_gateway" {
  count  = local.new_vpc ? 1 : 0
  vpc_id = aws_vpc.vpc[0].id
  tags   = { Name = var.name }
}

resource "aws_egress_only_internet_gateway" "egress_only_gateway" {
  count  = local.ipv6 ? 1 : 0
  vpc_id = aws_vpc.vpc[0].id
}

resource "aws_route_table" "public_route_table" {
  count  = local.new_vpc ? 1 : 0
  vpc_id = aws_vpc.vpc[0].id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "public_default_route" {
  count                  = local.new_vpc ? 1 : 0
  route_table_id         = aws_route_table.public_route_table[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.internet_gateway[0].id
}

resource "aws_subnet" "public_subnet" {
  count                   = local.public_zones
  vpc_id                  = aws_vpc.vpc[0].id
  availability_zone       = local.zones[count.index]
  cidr_block              = cidrsubnet(var.network_cidr, local.new_bits, count.index)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-public-${count.index + 1}" }
}

resource "aws_route_table_association" "public_subnet_routes" {
  count          = local.public_zones
  subnet_id      = aws_subnet.public_subnet[count.index].id
  route_table_id = aws_route_table.public_route_table[0].id
}

resource "aws_subnet" "private_subnet" {
  count                           = local.own_zones
  vpc_id                          = local.vpc_id
  availability_zone               = local.zones[count.index]
  cidr_block                      = cidrsubnet(var.network_cidr, local.new_bits, count.index + 3)
  map_public_ip_on_launch         = false
  ipv6_cidr_block                 = local.ipv6 ? cidrsubnet(aws_vpc.vpc[0].ipv6_cidr_block, 8, count.index) : null
  assign_ipv6_address_on_creation = local.ipv6
  tags                            = { Name = "${var.name}-private-${count.index + 1}" }

  # A range that is added to a VPC must be there before its subnets.
  depends_on = [aws_vpc_ipv4_cidr_block_association.added_range]
}

resource "aws_route_table" "private_route_table" {
  count  = local.own_zones
  vpc_id = local.vpc_id
  tags   = { Name = "${var.name}-private-${count.index + 1}" }
}

resource "aws_route_table_association" "private_subnet_routes" {
  count          = local.own_zones
  subnet_id      = aws_subnet.private_subnet[count.index].id
  route_table_id = aws_route_table.private_route_table[count.index].id
}

resource "aws_route" "private_default_route" {
  count                  = local.own_zones
  route_table_id         = aws_route_table.private_route_table[count.index].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.nat_gateway[min(count.index, local.nat_zones - 1)].id
}

resource "aws_route" "private_ipv6_route" {
  count                       = local.ipv6_zones
  route_table_id              = aws_route_table.private_route_table[count.index].id
  destination_ipv6_cidr_block = "::/0"
  egress_only_gateway_id      = aws_egress_only_internet_gateway.egress_only_gateway[0].id
}

resource "aws_eip" "nat_address" {
  count  = local.nat_zones
  domain = "vpc"
  tags   = { Name = "${var.name}-nat-${count.index + 1}" }
}

resource "aws_nat_gateway" "nat_gateway" {
  count         = local.nat_zones
  allocation_id = aws_eip.nat_address[count.index].allocation_id
  subnet_id     = local.new_vpc ? aws_subnet.public_subnet[count.index].id : var.existing_public_subnet_ids[count.index]
  tags          = { Name = "${var.name}-${count.index + 1}" }

  # It can be made only where this is there.
  depends_on = [aws_internet_gateway.internet_gateway]
}

# Layers of images in ECR lie in S3. By this endpoint they do not pass the NAT gateway, and it costs nothing.
resource "aws_vpc_endpoint" "s3_endpoint" {
  count             = local.own_subnets ? 1 : 0
  vpc_id            = local.vpc_id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${local.region}.s3"
  route_table_ids   = aws_route_table.private_route_table[*].id
}
