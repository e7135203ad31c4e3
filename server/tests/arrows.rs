//! The crates know each other only along the arrows of docs/ARCHITECTURE.md.

use std::collections::BTreeSet;
use std::process::Command;

/// Every arrow that is allowed: who, and on whom.
const ARROWS: &[(&str, &[&str])] = &[
    ("headroom-model", &[]),
    ("headroom-engine", &["headroom-model"]),
    ("headroom-infra", &["headroom-model"]),
    ("headroom-store", &["headroom-model"]),
    ("headroom-charts", &["headroom-model"]),
    ("headroom-offline", &["headroom-engine", "headroom-infra", "headroom-model"]),
    ("headroom-eval", &["headroom-engine", "headroom-infra", "headroom-model", "headroom-offline"]),
    ("headroom-service", &["headroom-engine", "headroom-infra", "headroom-model", "headroom-store"]),
    ("headroom-app", &["headroom-charts", "headroom-model", "headroom-service"]),
    ("headroom-frontend", &["headroom-app"]),
    ("headroom-bundle", &[]),
    (
        "headroom-server",
        &[
            "headroom-app",
            "headroom-charts",
            "headroom-engine",
            "headroom-infra",
            "headroom-model",
            "headroom-offline",
            "headroom-service",
            "headroom-store",
        ],
    ),
];

#[test]
fn no_crate_knows_more_than_it_may() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert_eq!(packages.len(), ARROWS.len(), "a crate came or went: draw its arrows here and in docs/ARCHITECTURE.md");
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let allowed: BTreeSet<&str> =
            ARROWS.iter().find(|(who, _)| *who == name).unwrap_or_else(|| panic!("{name} has no arrows here")).1.iter().copied().collect();
        // What only tests use may reach further: it is not in the product.
        let used: BTreeSet<&str> = package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            .filter(|d| d["kind"].as_str() != Some("dev"))
            .filter_map(|d| d["name"].as_str())
            .filter(|d| d.starts_with("headroom-"))
            .collect();
        let extra: Vec<_> = used.difference(&allowed).collect();
        assert!(extra.is_empty(), "{name} must not know {extra:?}");
    }
}

#[test]
fn app_knows_the_server_side_only_under_ssr() {
    let manifest = include_str!("../../app/Cargo.toml");
    for name in ["headroom-service", "headroom-charts"] {
        let line = manifest.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("{name} is a dependency of app"));
        assert!(line.contains("optional = true"), "{line}");
    }
}
