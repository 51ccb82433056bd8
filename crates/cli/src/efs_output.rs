//! What `efs show` prints: what each volume has, and who may mount it.

use fargate_config::VolumeAccess;
use fargate_efs::{FileSystemState, StorageSite, WantedVolume};
use fargate_model::text::escape;
use fargate_terminal::{TableColumn, table_lines};
use serde_json::{Value, json};

const COLUMNS: [TableColumn; 6] = [
    TableColumn::new("VOLUME"),
    TableColumn::new("FILE SYSTEM"),
    TableColumn::new("WHAT"),
    TableColumn::new("ID"),
    TableColumn::new("STATE"),
    TableColumn::new("FOR"),
];

/// For a terminal.
pub fn table(site: &StorageSite, width: Option<usize>) -> String {
    table_lines(&COLUMNS, &rows(site), width).join("\n")
}

/// One line for each thing, without a head.
pub fn tsv(site: &StorageSite) -> String {
    rows(site).iter().map(|row| row.join("\t")).collect::<Vec<_>>().join("\n")
}

fn rows(site: &StorageSite) -> Vec<Vec<String>> {
    site.file_systems.iter().flat_map(rows_of).collect()
}

/// The rows of one file system: its access points, its mount targets, and who may mount.
fn rows_of(state: &FileSystemState) -> Vec<Vec<String>> {
    let row = |volume: &str, cells: [&str; 4]| {
        let mut row = vec![volume.to_owned(), state.wanted.id.clone()];
        row.extend(cells.into_iter().map(escape));
        row
    };
    let mut rows = Vec::new();
    for volume in &state.wanted.volumes {
        let name = &volume.volume.name;
        for point in points(state, volume) {
            rows.push(row(name, ["access point", &point.id, &point.state, &point.whom]));
        }
    }
    for target in &state.targets {
        let zone = target.zone.as_deref().unwrap_or("-");
        rows.push(row("-", ["mount target", &target.id, &target.state, zone]));
    }
    for statement in state.policy.ours() {
        let who = list(&statement["Principal"]["AWS"]).join(" ");
        rows.push(row(
            "-",
            ["policy", statement["Sid"].as_str().unwrap_or("-"), rights(statement), &who],
        ));
    }
    for (name, _) in state.policy.foreign() {
        rows.push(row("-", ["policy", &name, "not ours", "-"]));
    }
    if state.policy_text.is_none() {
        rows.push(row("-", ["policy", "-", "missing", "everybody who reaches a mount target"]));
    }
    rows
}

/// An access point of a volume; `id` is `-` where there is none.
struct ShownAccessPoint {
    id: String,
    state: String,
    whom: String,
    root: String,
}

fn points(state: &FileSystemState, volume: &WantedVolume) -> Vec<ShownAccessPoint> {
    let of_id = |id: &str| {
        let found = state.points.iter().find(|point| point.id == id);
        ShownAccessPoint {
            id: id.to_owned(),
            state: found.map_or("missing", |point| &point.state).to_owned(),
            whom: "all jobs".to_owned(),
            root: found.map_or("-", |point| &point.shape.root).to_owned(),
        }
    };
    match volume.volume.access() {
        VolumeAccess::Root => vec![ShownAccessPoint {
            id: "-".to_owned(),
            state: "not needed".to_owned(),
            whom: "all jobs".to_owned(),
            root: "/".to_owned(),
        }],
        VolumeAccess::Fixed(id) => vec![of_id(id)],
        VolumeAccess::Made(_) => {
            let mut shown = Vec::new();
            for wanted in volume.access_points() {
                let (whom, root) = (wanted.owner.to_string(), wanted.root().to_owned());
                let mut found = state.points.iter().filter(|point| wanted.is(point)).peekable();
                if found.peek().is_none() {
                    let (id, state) = ("-".to_owned(), "missing".to_owned());
                    shown.push(ShownAccessPoint { id, state, whom, root });
                    continue;
                }
                shown.extend(found.map(|point| ShownAccessPoint {
                    id: point.id.clone(),
                    state: point.state.clone(),
                    whom: whom.clone(),
                    root: root.clone(),
                }));
            }
            shown
        }
    }
}

/// One document.
pub fn json(site: &StorageSite) -> String {
    let file_systems: Vec<Value> = site.file_systems.iter().map(document).collect();
    json!({ "account": site.identity.account, "file_systems": file_systems }).to_string()
}

fn document(state: &FileSystemState) -> Value {
    let volume = |volume: &WantedVolume| {
        let points: Vec<Value> = points(state, volume)
            .into_iter()
            .map(|point| {
                let id = Some(point.id).filter(|id| id != "-");
                json!({ "id": id, "state": point.state, "for": point.whom, "folder": point.root })
            })
            .collect();
        let profiles: Vec<&str> =
            volume.profiles.iter().map(|profile| profile.name.as_str()).collect();
        json!({
            "name": volume.volume.name,
            "path": volume.volume.path,
            "profiles": profiles,
            "access_points": points,
        })
    };
    let targets = state.targets.iter().map(|target| {
        json!({
            "id": target.id,
            "zone": target.zone,
            "subnet": target.subnet,
            "state": target.state,
            "address": target.address,
        })
    });
    let ours = state.policy.ours().iter().map(|statement| {
        json!({ "sid": statement["Sid"], "principals": list(&statement["Principal"]["AWS"]),
                "may": rights(statement) })
    });
    let foreign = state.policy.foreign();
    let foreign = foreign.iter().map(|(name, opened)| json!({ "name": name, "opens": opened }));
    json!({
        "id": state.wanted.id,
        "volumes": state.wanted.volumes.iter().map(volume).collect::<Vec<_>>(),
        "mount_targets": targets.collect::<Vec<_>>(),
        "has_policy": state.policy_text.is_some(),
        "our_statements": ours.collect::<Vec<_>>(),
        "other_statements": foreign.collect::<Vec<_>>(),
    })
}

fn rights(statement: &Value) -> &'static str {
    let writes = list(&statement["Action"]).iter().any(|action| action.ends_with(":ClientWrite"));
    if writes { "read and write" } else { "read" }
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(list).collect(),
        _ => Vec::new(),
    }
}
