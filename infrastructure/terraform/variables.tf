# The inputs: those of ../cloudformation/fargate-runner.yaml, with the same defaults.

variable "name" {
  description = "Name of the cluster, and beginning of all other names. One per account and Region."
  type        = string
  default     = "fargate-runner"

  validation {
    condition     = can(regex("^(?:[a-z][a-z0-9-]{1,30})$", var.name))
    error_message = "name must be: matches [a-z][a-z0-9-]{1,30}."
  }
}

variable "task_definition_family" {
  description = "Family of the task definitions that the driver registers. It may start tasks of families that begin so."
  type        = string
  default     = "fargate-runner-ci"

  validation {
    condition     = can(regex("^(?:[A-Za-z0-9_-]{1,200})$", var.task_definition_family))
    error_message = "task_definition_family must be: matches [A-Za-z0-9_-]{1,200}."
  }
}

variable "zone_count" {
  description = "How many zones jobs run in. With existing_subnet_ids: how many subnets those are."
  type        = number
  default     = 2

  validation {
    condition     = contains([1, 2, 3], var.zone_count)
    error_message = "zone_count must be: one of 1, 2, 3."
  }
}

variable "zones" {
  description = "The zones by name. Empty: the first ones of the Region."
  type        = list(string)
  default     = []
}

variable "network_cidr" {
  description = "Range of addresses of the VPC. With existing_vpc_id: a range that is added to that VPC, for tasks."
  type        = string
  default     = "10.64.0.0/16"

  validation {
    condition     = can(regex("^(?:[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+/(1[6-9]|2[0-8]))$", var.network_cidr))
    error_message = "network_cidr must be: matches [0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+/(1[6-9]|2[0-8])."
  }
}

variable "subnet_host_bits" {
  description = "Size of each subnet: 2 to this power addresses, of which AWS keeps 5. Each task takes one."
  type        = number
  default     = 12

  validation {
    condition     = var.subnet_host_bits >= 4 && var.subnet_host_bits <= 13
    error_message = "subnet_host_bits must be: 4 to 13."
  }
}

variable "nat_gateways" {
  description = "One NAT gateway in all, or one in each zone: dearer, and a zone that fails does not cut off the others."
  type        = string
  default     = "one"

  validation {
    condition     = contains(["one", "per-zone"], var.nat_gateways)
    error_message = "nat_gateways must be: one of one, per-zone."
  }
}

variable "enable_ipv6" {
  description = "Whether the private subnets of a new VPC also get IPv6, outwards only."
  type        = bool
  default     = false
}

variable "allow_http" {
  description = "Whether tasks may also leave by port 80, as package managers of some images want."
  type        = bool
  default     = false
}

variable "existing_vpc_id" {
  description = "Use this VPC instead of a new one. Its DNS support and DNS host names must be on."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:(vpc-[0-9a-f]+)?)$", var.existing_vpc_id))
    error_message = "existing_vpc_id must be: matches (vpc-[0-9a-f]+)?."
  }
}

variable "existing_subnet_ids" {
  description = "Private subnets of that VPC for tasks, one per zone, with a route to a NAT gateway. Empty: new ones in network_cidr."
  type        = list(string)
  default     = []
}

variable "existing_public_subnet_ids" {
  description = "Where the subnets are new and the VPC is not: its public subnets for the NAT gateways, one per zone, in the order of the zones."
  type        = list(string)
  default     = []
}

variable "job_image" {
  description = "The image of jobs. It must have bash, git and fargate-agent."
  type        = string

  validation {
    condition     = length(var.job_image) >= 1
    error_message = "job_image must be: not empty."
  }
}

variable "architecture" {
  description = "The processor that the image is made for."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be: one of x86_64, arm64."
  }
}

variable "concurrency" {
  description = "How many jobs the manager host runs at one time."
  type        = number
  default     = 10

  validation {
    condition     = var.concurrency >= 1 && var.concurrency <= 5000
    error_message = "concurrency must be: 1 to 5000."
  }
}

variable "log_retention_days" {
  description = "For how long the output of containers is kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 180, 365], var.log_retention_days)
    error_message = "log_retention_days must be: one of 1, 3, 5, 7, 14, 30, 60, 90, 180, 365."
  }
}

variable "make_registry_secret" {
  description = "Whether the image needs a login. The secret is made empty; `fargate-runner registry-secret set USER` fills it."
  type        = bool
  default     = true
}

variable "make_file_system" {
  description = "Whether to make a file system that jobs can share."
  type        = bool
  default     = true
}

variable "back_up_file_system" {
  description = "Whether AWS Backup keeps daily copies of the file system. A cache needs none."
  type        = bool
  default     = false
}

variable "make_manager" {
  description = "Whether to make the manager host. Without it, give the manager's role to a host of yours."
  type        = bool
  default     = true
}

variable "manager_instance_type" {
  description = "Type of the manager host, x86_64. Some 20 MB of memory for each job at one time."
  type        = string
  default     = "t3.small"
}

variable "manager_image" {
  description = "Parameter of Systems Manager with the image of the manager host: Ubuntu 24.04, which has the agent of Session Manager."
  type        = string
  default     = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
}

variable "manager_volume_gib" {
  description = "Disk of the manager host, in GiB."
  type        = number
  default     = 20

  validation {
    condition     = var.manager_volume_gib >= 10 && var.manager_volume_gib <= 1000
    error_message = "manager_volume_gib must be: 10 to 1000."
  }
}

variable "package_bucket" {
  description = "Bucket of S3 with the Debian package of Fargate Runner."
  type        = string
  default     = ""
}

variable "package_key" {
  description = "Key of that package in the bucket."
  type        = string
  default     = ""
}

variable "package_sha256" {
  description = "Its SHA-256, as SHA256SUMS of `make dist` says."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:([0-9a-f]{64})?)$", var.package_sha256))
    error_message = "package_sha256 must be: matches ([0-9a-f]{64})?."
  }
}

variable "gitlab_url" {
  description = "Where GitLab is."
  type        = string
  default     = "https://gitlab.com"

  validation {
    condition     = can(regex("^(?:https?://[A-Za-z0-9._:/-]+)$", var.gitlab_url))
    error_message = "gitlab_url must be: matches https?://[A-Za-z0-9._:/-]+."
  }
}

variable "runner_token_parameter" {
  description = "Parameter of Systems Manager (SecureString) with the token of the runner. Empty: gitlab-runner is not registered."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:(/[A-Za-z0-9_./-]+)?)$", var.runner_token_parameter))
    error_message = "runner_token_parameter must be: matches (/[A-Za-z0-9_./-]+)?."
  }
}

variable "image_builder_principal" {
  description = "Who may take the role that builds images, by ARN. Empty: there is no such role."
  type        = string
  default     = ""
}

variable "ecr_repositories" {
  description = "The repositories of ECR that it may push to, such as ci/*. Empty: none."
  type        = string
  default     = ""
}

variable "infrastructure_principal" {
  description = "Who may take the role that fills the secret, makes access points and opens sessions, by ARN. Empty: there is no such role."
  type        = string
  default     = ""
}
