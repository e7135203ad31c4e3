//! A fleet with something to decide in two teams.

use crate::app::TestApp;
use headroom_infra::Allowed;
use headroom_infra::simulator::{Client, Options, bind};
use headroom_model::auth::{OpContext, Person, Role, Teams};
use headroom_model::benchmark::BenchmarkRun;
use headroom_model::view::{AnalyzeRequest, RecommendationRow};
use headroom_service::{Cluster, WorkerOptions};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;

/// An analysed fleet with a recommendation each of two teams, and somebody of every role who is in the first team only.
pub struct Fleet {
    pub app: TestApp,
    pub own: Of,
    pub other: Of,
    /// Ends workers and simulator.
    pub stop: watch::Sender<bool>,
}

/// What there is of a team.
pub struct Of {
    pub team: String,
    pub service: String,
    pub recommendation: String,
    pub job: String,
    pub benchmark: String,
}

pub const ROLES: [(&str, Role); 4] =
    [("her-viewer", Role::Viewer), ("her-manager", Role::Manager), ("her-engineer", Role::Engineer), ("her-approver", Role::Approver)];

impl Fleet {
    pub async fn analysed() -> Self {
        let dir = TempDir::new().unwrap();
        let start = "2026-11-18T10:00:00Z".parse().unwrap();
        let bound = bind(Options { speed: 0.0, ..Options::new(dir.path().join("simulator"), start) }).await.unwrap();
        let url = bound.url();
        let (stop, stopped) = watch::channel(false);
        let mut seen = stopped.clone();
        tokio::spawn(bound.run(async move {
            let _ = seen.wait_for(|s| *s).await;
        }));
        let client = Arc::new(Client::connect(&url, &Allowed::default()).await.unwrap());
        let cluster = Cluster { infrastructure: client.clone(), metrics: client };
        let app = TestApp::bare(vec![cluster], dir).await;
        app.create_users().await;
        app.headroom.ingest().await.unwrap();
        let options = WorkerOptions { owner: "story".to_owned(), lease_secs: 30, poll: Duration::from_millis(50) };
        tokio::spawn(app.headroom.clone().run(options, stopped));
        let everybody = OpContext::of(
            Person { name: "engineer".to_owned(), role: Role::Engineer, teams: Teams::ALL },
            "story".to_owned(),
            app.headroom.clocks(),
        );
        let analysed = async |name: &str| {
            let request = AnalyzeRequest { service_name: name.to_owned(), ..AnalyzeRequest::default() };
            let id = app.headroom.analyze(&everybody, &request).await.unwrap().id;
            while !app.headroom.job(&everybody, id).await.unwrap().0.state.ended() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            id.to_string()
        };
        analysed("fleet").await;
        let open = headroom_model::view::RecommendationQuery { view: "open".into(), limit: 200, ..Default::default() };
        let rows: Vec<RecommendationRow> = app.headroom.recommendations(&everybody, &open).await.unwrap().items;
        let mut found: Vec<Of> = Vec::new();
        let run: BenchmarkRun = serde_json::from_value(json!({ "benchmark": "a", "unit": "ms", "values": [1.0, 2.0] })).unwrap();
        for row in rows {
            let another = found.len() < 2 && found.iter().all(|of| of.team != row.team);
            // One that can be submitted.
            if another && app.headroom.recommendation(&everybody, row.id).await.unwrap().refusal.is_none() {
                let job = analysed(&row.service_name).await;
                let measured =
                    app.headroom.import_benchmarks(&everybody, "story", &row.service_name, std::slice::from_ref(&run)).await.unwrap();
                let benchmark = measured[0].id.to_string();
                found.push(Of { team: row.team, service: row.service_name, recommendation: row.id.to_string(), job, benchmark });
            }
        }
        let [own, other] = <[Of; 2]>::try_from(found).unwrap_or_else(|_| panic!("a fleet of fewer than two teams with something to do"));
        let ctx = app.headroom.own_context("story");
        for (name, role) in ROLES {
            app.headroom.create_user(&ctx, name, role, &Teams::of([own.team.clone()])).await.unwrap();
        }
        Self { app, own, other, stop }
    }
}
