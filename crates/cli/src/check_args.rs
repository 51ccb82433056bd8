//! The arguments of `check`.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use fargate_preflight::probe::ADDRESS_URL;

use crate::output_args::ListFormatArgs;

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Ask the registry as well whether the login works and the image is there
    #[arg(long)]
    pub pull: bool,
    /// Start one task as a job would, and try from inside: names, the way out, registry, GitLab, volumes;
    /// it costs as much as a short job
    #[arg(long)]
    pub probe: bool,
    /// Ask AWS for at most this time, for example `10s`; what is not known by then is told as unknown
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    pub deadline: Duration,
    /// Where GitLab is, for example `https://gitlab.example.com`, to see whether it is reached
    #[arg(long, value_name = "URL")]
    pub gitlab_url: Option<String>,
    /// How many jobs run at one time, for addresses and quotas [default: `serve.job_slots`]
    #[arg(long, value_name = "NUMBER")]
    pub concurrency: Option<u32>,
    /// A security group of this host, from which it reaches tasks; may be given several times
    #[arg(long = "manager-group", value_name = "GROUP")]
    pub manager_groups: Vec<String>,
    /// The address of this host, as tasks see it
    #[arg(long, value_name = "ADDRESS")]
    pub manager_address: Option<IpAddr>,
    /// With `--probe`: a service that answers with the address of whoever asks
    #[arg(long, value_name = "URL", default_value = ADDRESS_URL)]
    pub address_url: String,
    /// Print no progress
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub output: ListFormatArgs,
}
