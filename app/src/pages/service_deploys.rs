//! The newest deploys of a service: what ran from when, and where that is known from.

use crate::format;
use headroom_model::deployment::Deployment;
use headroom_model::view::ServicePage;
use leptos::prelude::*;

/// The panel; nothing while no deploy is known.
pub fn deploys(p: &ServicePage) -> impl IntoView + use<> {
    let now = p.now;
    let row = |d: &Deployment| {
        let from = if d.seen { "seen in the cluster" } else { "told" };
        let commit = d.short_commit().map(|c| format!(" · commit {c}"));
        let link = d.link.clone().map(|href| view! { " · "<a class="text-link" href=href rel="noreferrer">"more"</a> });
        view! {
            <li>
                <div class="grow"><div class="mono strong" title=d.version.clone()>{d.short_version()}</div><div class="faint small">{from}{commit}{link}</div></div>
                <span class="end num" title=format::time(d.cluster_at)>{format::ago(d.cluster_at, now)}</span>
            </li>
        }
    };
    (!p.deployments.is_empty()).then(|| {
        view! {
            <section class="panel">
                <header><h2>"Deploys"</h2></header>
                <ul class="rows">{p.deployments.iter().map(row).collect_view()}</ul>
                <footer>"Told by a pipeline, or seen by the version label. Steps and anomalies after one are put down to it."</footer>
            </section>
        }
    })
}
