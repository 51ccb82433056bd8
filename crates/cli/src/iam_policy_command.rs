//! `iam-policy`. The policy goes to stdout, words go to stderr. Which calls there are is the business of the
//! access-policy crate. AWS is not called.

use fargate_access_policy::{IamPolicy, PolicyFlags, PolicyHolder, PolicyScope, needed_calls};
use fargate_config::{LoadedConfig, UnknownKeyPolicy};

use crate::args::GlobalFlags;
use crate::config_command;
use crate::exit::CommandExit;
use crate::iam_policy_args::IamPolicyArgs;
use crate::streams::{masker, tell, to_stdout, unwritten};

/// Where the SDK of AWS finds the Region, in its order.
const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// Runs it.
pub fn run(global: &GlobalFlags, args: &IamPolicyArgs) -> CommandExit {
    perform(global, args).unwrap_or_else(|error| {
        tell!("error: {error}");
        CommandExit::NothingDone
    })
}

fn perform(global: &GlobalFlags, args: &IamPolicyArgs) -> Result<CommandExit, String> {
    let (_, LoadedConfig { config, warnings, notices }) =
        config_command::load(global, UnknownKeyPolicy::Warn)?;
    for warning in warnings.iter().chain(&notices) {
        tell!("warning: {warning}");
    }
    let mut regions = REGION_VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    let flags = PolicyFlags {
        account: args.account.clone(),
        region: regions.find(|region| !region.is_empty()),
        passed_roles: args.passed_roles.clone(),
        log_groups: args.log_groups.clone(),
    };
    let scope = PolicyScope::new(&config, global.profile.as_deref(), &flags);
    let scope = scope.map_err(|error| error.to_string())?;
    let holder = args.holder.holder();
    if holder == PolicyHolder::Manager {
        for notice in &scope.notices {
            tell!("notice: {notice}");
        }
    }
    let mut calls = needed_calls(&scope.places, holder);
    if args.with_check {
        calls.extend(needed_calls(&scope.places, PolicyHolder::Check));
    }
    let policy = IamPolicy::allowing(&calls);
    if policy.is_empty() {
        tell!("this configuration needs no policy here: nothing is called");
        return Ok(CommandExit::Done);
    }
    to_stdout(&masker().text(&policy.to_text())).map_err(unwritten)?;
    Ok(CommandExit::Done)
}
