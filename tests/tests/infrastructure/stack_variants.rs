//! Every way to make the stack, made in ministack: `check` says the same of it as of the default, or differs as a row
//! here says.
//!
//! What ministack cannot make (`REFUSED`) is named in docs/LIMITS.md. Nothing starts a manager host.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::checked_stack::{AT_ONCE, CheckedStack, TemplateStacks, lines, newly_told};

/// One way to make the stack, by its name in `serve_stacks.py`.
#[derive(Clone, Copy)]
struct StackVariant {
    name: &'static str,
    subnets: usize,
    /// How many NAT gateways tasks leave by.
    nat_gateways: usize,
    /// How many of their addresses are fixed by the stack.
    addresses: usize,
    /// Checks that pass for the default and have nothing to look at here.
    silent: &'static [&'static str],
    /// The warning that this stack deserves.
    warned: Option<(&'static str, &'static str)>,
    /// Outputs that the default has not.
    more_outputs: &'static [&'static str],
    /// Outputs that the default alone has.
    fewer_outputs: &'static [&'static str],
    /// Whether ministack refuses to add a range of addresses to the VPC.
    needs_range: bool,
}

const DEFAULT: StackVariant = StackVariant {
    name: "default",
    subnets: 2,
    nat_gateways: 1,
    addresses: 1,
    silent: &[],
    warned: None,
    more_outputs: &[],
    fewer_outputs: &[],
    needs_range: false,
};

const VARIANTS: [StackVariant; 10] = [
    DEFAULT,
    StackVariant {
        name: "one-zone",
        subnets: 1,
        warned: Some(("subnets", "all in one zone")),
        silent: &["subnets"],
        ..DEFAULT
    },
    StackVariant { name: "three-zones", subnets: 3, ..DEFAULT },
    StackVariant {
        name: "nat-gateway-per-zone",
        subnets: 3,
        nat_gateways: 3,
        addresses: 3,
        ..DEFAULT
    },
    StackVariant { name: "ipv6", needs_range: true, ..DEFAULT },
    StackVariant {
        name: "without-file-system",
        silent: &[
            "access-points",
            "efs-access",
            "file-system",
            "file-system-policy",
            "mount-rights",
            "mount-targets",
        ],
        fewer_outputs: &["FileSystemId", "FileSystemSecurityGroupId"],
        ..DEFAULT
    },
    StackVariant {
        name: "without-registry-secret",
        silent: &["registry-secret", "registry-secret-key"],
        fewer_outputs: &["RegistrySecretArn"],
        ..DEFAULT
    },
    StackVariant {
        name: "two-principals",
        more_outputs: &["ImageBuilderRoleArn", "InfrastructureRoleArn"],
        ..DEFAULT
    },
    // The gateways and their addresses are those of the VPC.
    StackVariant {
        name: "subnets-of-an-existing-vpc",
        nat_gateways: 2,
        addresses: 0,
        fewer_outputs: &["EgressAddresses"],
        ..DEFAULT
    },
    StackVariant {
        name: "range-added-to-an-existing-vpc",
        nat_gateways: 2,
        addresses: 2,
        needs_range: true,
        ..DEFAULT
    },
];

/// The type of resource that ministack has in no way, and what its EC2 answers.
const REFUSED: (&str, &str) =
    ("AWS::EC2::VPCCidrBlock", "Unknown EC2 action: AssociateVpcCidrBlock");

/// What was made, and what `check` says of it.
struct VariantReport {
    described: Value,
    code: Option<i32>,
    report: Value,
}

impl VariantReport {
    async fn of(stack: CheckedStack) -> Self {
        let (code, report) = stack.checked().await;
        Self { described: stack.described, code, report }
    }

    fn outputs(&self) -> BTreeSet<&str> {
        let outputs = self.described["outputs"].as_object().expect("an object");
        outputs.keys().map(String::as_str).collect()
    }

    fn passed(&self) -> BTreeMap<String, String> {
        lines(&self.report, "pass")
    }

    /// How many items a list in an output has.
    fn count(&self, output: &str) -> usize {
        let text = self.described["outputs"][output].as_str().unwrap_or_default();
        text.split(',').filter(|item| !item.is_empty()).count()
    }

    fn refused(&self) -> &Value {
        &self.described["refused"]
    }
}

#[tokio::test]
async fn each_way_to_make_the_stack_passes_as_the_default_does_or_differs_as_it_must() {
    let Some(mut stacks) = TemplateStacks::start().await else { return };
    let known = stacks.maker.ask("variants").await;
    let names = VARIANTS.map(|variant| variant.name);
    assert_eq!(known, json!(names), "each variant has a row here");
    let mut running = JoinSet::new();
    let mut reports = BTreeMap::new();
    for variant in VARIANTS {
        let stack = stacks.variant(variant.name, true).await;
        if running.len() >= AT_ONCE {
            let (name, report) = running.join_next().await.expect("one runs").expect("no panic");
            reports.insert(name, report);
        }
        running.spawn(async move { (variant.name, VariantReport::of(stack).await) });
    }
    reports.extend(running.join_all().await);
    let default = &reports[DEFAULT.name];
    let mut wrong = Vec::new();
    for variant in &VARIANTS {
        wrong.extend(faults(variant, default, &reports[variant.name]));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where this stack and what `check` says of it are not as the row has it.
fn faults(variant: &StackVariant, default: &VariantReport, made: &VariantReport) -> Vec<String> {
    let mut faults = Vec::new();
    let mut compare = |what: &str, expected: String, found: String| {
        if expected != found {
            faults.push(format!("{}: {what}: expected {expected}, found {found}", variant.name));
        }
    };
    let told = newly_told(&default.report, &made.report);
    let is_right = match variant.warned {
        None => told.is_empty(),
        Some((id, words)) => {
            let warning = told.get(&("warn", id.to_owned()));
            told.len() == 1 && warning.is_some_and(|found| found.contains(words))
        }
    };
    if !is_right {
        compare("what does not pass", format!("{:?}", variant.warned), format!("{told:#?}"));
    }
    compare("exit code", format!("{:?}", default.code), format!("{:?}", made.code));
    let (all, passed) = (default.passed(), made.passed());
    let mut expected: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    expected.retain(|id| !variant.silent.contains(id));
    let found: BTreeSet<&str> = passed.keys().map(String::as_str).collect();
    compare("what passes", format!("{expected:?}"), format!("{found:?}"));
    let mut expected = default.outputs();
    expected.retain(|output| !variant.fewer_outputs.contains(output));
    expected.extend(variant.more_outputs.iter().copied());
    compare("outputs", format!("{expected:?}"), format!("{:?}", made.outputs()));
    for (what, expected, found) in [
        ("subnets", variant.subnets, made.count("PrivateSubnetIds")),
        ("fixed addresses", variant.addresses, made.count("EgressAddresses")),
        (
            "NAT gateways on the way out",
            variant.nat_gateways,
            passed.get("way-out").map_or(0, |way| way.matches("the NAT gateway nat-").count()),
        ),
    ] {
        compare(what, expected.to_string(), found.to_string());
    }
    let (kind, answer) = REFUSED;
    let expected = if variant.needs_range { json!({ kind: answer }) } else { json!({}) };
    compare("what ministack refuses", expected.to_string(), made.refused().to_string());
    faults
}
