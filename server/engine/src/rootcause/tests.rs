use super::*;
use proptest::prelude::*;

/// Twenty calm values around `usual`, then three of `now`.
fn evidence(service: &str, metric: &str, usual: f64, now: f64) -> Evidence {
    let calm: Vec<f64> = (0..20).map(|i| usual * (1.0 + 0.05 * f64::from(i % 3 - 1))).collect();
    Evidence::of_phases(service, metric, &calm, &[now; 3])
}

fn graph(calls: &[(&str, &str)]) -> Graph {
    let calls: Vec<(String, String)> = calls.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    Graph::new(&calls, &BTreeMap::new())
}

fn order(suspects: &[Suspect]) -> Vec<&str> {
    suspects.iter().map(|s| s.service.as_str()).collect()
}

#[test]
fn a_starved_callee_is_blamed_and_not_its_slow_callers() {
    let shop = graph(&[("web", "orders"), ("orders", "payment"), ("web", "stock")]);
    let all = [
        evidence("web", "server_latency", 0.1, 1.2),
        evidence("web", "client_latency", 0.05, 1.1),
        evidence("orders", "server_latency", 0.05, 1.1),
        evidence("orders", "client_latency", 0.02, 1.0),
        evidence("payment", "server_latency", 0.02, 1.0),
        evidence("payment", "cpu", 10.0, 95.0),
        evidence("web", "cpu", 20.0, 12.0),
        evidence("stock", "cpu", 5.0, 5.0),
    ];
    let suspects = rank(&all, &shop);
    assert_eq!(suspects[0].service, "payment");
    assert_eq!(suspects[0].metric.as_deref(), Some("cpu"));
    assert!(suspects[0].reason.starts_with("cpu rose from 10.0 to 95.0, "), "{}", suspects[0].reason);
    assert_eq!(suspects.len(), 4);
}

#[test]
fn a_slow_network_is_seen_by_all_callers_of_one_callee() {
    let shop = graph(&[("web", "cart"), ("web", "ads"), ("orders", "cart"), ("orders", "mail")]);
    let all = [
        evidence("web", "client_latency", 0.05, 0.8),
        evidence("orders", "client_latency", 0.05, 0.8),
        evidence("web", "server_latency", 0.1, 1.0),
        evidence("orders", "server_latency", 0.1, 1.0),
        evidence("cart", "server_latency", 0.01, 0.01),
    ];
    let suspects = rank(&all, &shop);
    assert_eq!(order(&suspects)[0], "cart");
    assert!(suspects[0].reason.contains("waits longer: client_latency rose from 0.0500 to 0.800"), "{}", suspects[0].reason);
}

#[test]
fn without_a_graph_resources_come_before_latency() {
    let all = [
        evidence("carts", "lat_90", 0.2, 4.0),
        evidence("carts-db", "cpu", 90.0, 60.0),
        evidence("user", "cpu", 1.0, 100.0),
        evidence("user-db", "mem", 2e8, 2.4e8),
    ];
    let suspects = rank(&all, &Graph::default());
    assert_eq!(order(&suspects), ["user", "carts", "user-db", "carts-db"]);
    assert_eq!((suspects[3].score, suspects[3].metric.as_ref()), (0.0, None));
}

#[test]
fn nothing_gives_nothing() {
    assert!(rank(&[], &Graph::default()).is_empty());
    let quiet = rank(&[Evidence::of_phases("a", "cpu", &[], &[f64::NAN])], &Graph::default());
    assert_eq!((quiet.len(), quiet[0].score), (1, 0.0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_values_rank_every_service_once(
        rows in proptest::collection::vec((0usize..5, 0usize..5, proptest::collection::vec(any::<f64>(), 0..8), proptest::collection::vec(any::<f64>(), 0..4)), 0..20),
        calls in proptest::collection::vec((0usize..5, 0usize..5), 0..10),
    ) {
        let names = ["a", "b", "c", "d", "e"];
        let metrics = ["cpu", "latency", "client_latency", "ops", "other"];
        let all: Vec<Evidence> = rows.iter().map(|(s, m, x, y)| Evidence::of_phases(names[*s], metrics[*m], x, y)).collect();
        let calls: Vec<(String, String)> = calls.iter().map(|(a, b)| (names[*a].to_owned(), names[*b].to_owned())).collect();
        let suspects = rank(&all, &Graph::new(&calls, &BTreeMap::new()));
        let distinct: BTreeSet<&str> = suspects.iter().map(|s| s.service.as_str()).collect();
        prop_assert_eq!(distinct.len(), suspects.len());
        prop_assert!(suspects.iter().all(|s| s.score.is_finite() && s.score >= 0.0));
        prop_assert!(suspects.windows(2).all(|w| w[0].score >= w[1].score));
    }
}
