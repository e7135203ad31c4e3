//! Builds the server anew when the site that it embeds has changed: `manifest.json` names every file by its hash.

fn main() {
    println!("cargo:rerun-if-changed=../target/site/manifest.json");
}
