//! What a person should know of a network that is allowed, and may not be meant: a public address.
//!
//! Only the file is looked at. Ids do not tell the zones of subnets, so nothing is said about subnets
//! that are all in one zone.

use crate::config::RunnerConfig;
use crate::keyword::PublicIp;
use crate::layer::SettingsLayer;
use crate::problem::ConfigProblem;
use crate::value::{KeyLocation, LocatedValue};

impl RunnerConfig {
    /// Each key that opens the network, once, however many profiles inherit it.
    #[must_use]
    pub fn network_doubts(&self) -> Vec<ConfigProblem> {
        let mut found = Vec::new();
        for layer in self.document.profiles_put_together() {
            let Some((place, message, hint)) = doubt(&layer) else { continue };
            let doubt = ConfigProblem {
                path: self.document.path.clone(),
                line: place.line,
                message: format!("key `{}` {message}", place.key),
                key: Some(place.key),
                hint: Some(hint),
            };
            if !found.contains(&doubt) {
                found.push(doubt);
            }
        }
        found
    }
}

fn doubt(layer: &SettingsLayer) -> Option<(KeyLocation, String, String)> {
    let LocatedValue { value: given, place } = layer.values.get::<String>("public_ip")?;
    if given == PublicIp::None.as_str() {
        return None;
    }
    // A file of GitLab's driver has a key of another name, which is true or false.
    let is_gitlabs = place.key.ends_with("EnablePublicIP");
    let given = if is_gitlabs { "true".to_owned() } else { format!("\"{given}\"") };
    let message = format!(
        "is {given}: each task gets a public address, and only its security groups keep the internet out"
    );
    let better = if is_gitlabs { "EnablePublicIP = false" } else { "public_ip = \"none\"" };
    let hint = format!("`{better}`, and a route to a NAT gateway as the way out");
    Some((place, message, hint))
}
