//! What a person should know of a network that is allowed, and may not be meant: a public address, and
//! a single subnet.
//!
//! Only the file is looked at. Ids do not tell the zones of subnets, so nothing is said about several
//! subnets in one zone.

use crate::config::RunnerConfig;
use crate::keyword::PublicIp;
use crate::layer::SettingsLayer;
use crate::problem::ConfigProblem;
use crate::value::{KeyLocation, LocatedValue};

impl RunnerConfig {
    /// Each key that opens the network or ties it to one zone, once, however many profiles inherit it.
    #[must_use]
    pub fn network_doubts(&self) -> Vec<ConfigProblem> {
        let mut found = Vec::new();
        for layer in self.document.profiles_put_together() {
            for (place, message, hint) in doubts(&layer) {
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
        }
        found
    }
}

fn doubts(layer: &SettingsLayer) -> Vec<(KeyLocation, String, String)> {
    let mut found = Vec::new();
    if let Some(LocatedValue { value: given, place }) = layer.values.get::<String>("public_ip")
        && given != PublicIp::None.as_str()
    {
        let message = format!(
            "is \"{given}\": each task gets a public address, and only its security groups keep the \
             internet out"
        );
        let hint = "`public_ip = \"none\"`, and a route to a NAT gateway as the way out";
        found.push((place, message, hint.to_owned()));
    }
    if let Some(LocatedValue { value, place }) = layer.values.get::<Vec<String>>("subnets")
        && value.len() == 1
    {
        let message = "has one subnet: no task starts while its zone has no capacity or it has no \
                       free address";
        let hint = "add a subnet in another zone";
        found.push((place, message.to_owned(), hint.to_owned()));
    }
    found
}
