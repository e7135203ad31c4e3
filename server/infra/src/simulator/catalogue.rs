//! The services everyone meets first: a market-data and portfolio platform, a company-verification platform, an AI compute pool.
//!
//! Each one's troubles are said beside it; nothing in Headroom reads these words, the measured series show it.

use super::builder::{Builder, finish, service};
use super::demand::Shape;
use super::profile::Spec;

/// The catalogue's services in the order in which a smaller world takes them.
#[must_use]
pub fn services(cluster: &str) -> Vec<Spec> {
    let mut all = prices(cluster);
    all.extend(edge(cluster));
    all.extend(verify(cluster));
    all.extend(compute(cluster));
    all.extend(others(cluster));
    finish(all)
}

fn prices(cluster: &str) -> Vec<Builder> {
    let s = |name: &str| service(cluster, "prices", name, "trading-data");
    vec![
        // Asks for three times the CPU it uses.
        s("market-data-api")
            .replicas(6)
            .cpu(2.0, 3.0)
            .memory(2048, 3072)
            .sidecar("proxy", 0.1, 0.5, 64)
            .demand(620.0, Shape::Market, 0.25)
            .work(3.1, 0.05, 6.0, 0.55)
            .uses(720.0, 2.2, 0.0)
            .workers(64)
            .calls("price-cache", 0.8)
            .calls("symbol-index", 0.25),
        // Starved: its limit is below its bursts.
        s("quote-stream")
            .replicas(4)
            .cpu(0.5, 0.8)
            .memory(768, 1024)
            .demand(790.0, Shape::Market, 0.08)
            .nervous(0.1, 2.0, 1.3, 0.0)
            .work(1.5, 0.04, 3.0, 0.5)
            .uses(410.0, 0.35, 0.0)
            .traffic(300.0, 2_600.0, 0.0, 20.0)
            .calls("price-cache", 0.5),
        // Small, wasteful.
        s("fx-rates")
            .replicas(3)
            .cpu(1.0, 2.0)
            .memory(1024, 1024)
            .demand(85.0, Shape::Flat, 0.6)
            .work(2.4, 0.02, 4.0, 0.4)
            .uses(170.0, 0.8, 0.0),
        // Memory asked for and never used.
        s("symbol-index")
            .replicas(3)
            .cpu(0.8, 1.6)
            .memory(6144, 8192)
            .demand(60.0, Shape::Day, 0.4)
            .work(3.4, 0.03, 5.0, 0.5)
            .uses(1500.0, 2.0, 0.0)
            .cache(256, 0.97, 30.0)
            .database(28.0, 900.0, "full", 24),
        s("price-cache")
            .kind("StatefulSet")
            .replicas(3)
            .cpu(0.7, 1.4)
            .memory(4096, 5120)
            .demand(150.0, Shape::Market, 0.2)
            .work(0.9, 0.05, 0.8, 0.35)
            .uses(400.0, 0.6, 0.0)
            .cache(2560, 0.995, 60.0)
            .database(14.0, 1500.0, "full", 32),
        // A hot service whose autoscaler lets it run hot and is at its maximum in exchange hours.
        s("portfolio-valuation")
            .replicas(3)
            .cpu(1.0, 2.0)
            .memory(1536, 2048)
            .autoscaler(2, 5, 85)
            .demand(115.0, Shape::Market, 0.15)
            .work(30.0, 0.06, 14.0, 0.6)
            .uses(610.0, 9.0, 0.0)
            .workers(48)
            .timeout(8_000.0)
            .calls("market-data-api", 0.6)
            .calls("fx-rates", 0.3),
        // Bursts at the close run into the CPU limit.
        s("risk-engine")
            .replicas(4)
            .cpu(1.2, 1.5)
            .memory(3072, 4096)
            .demand(19.0, Shape::Market, 0.1)
            .nervous(0.12, 2.0, 1.4, 0.0)
            .work(95.0, 0.08, 20.0, 0.7)
            .uses(1150.0, 60.0, 0.0)
            .calls("portfolio-valuation", 0.3)
            .calls("market-data-api", 1.2),
        // The query it waits for has no index: p95 above one second.
        s("ledger-writer")
            .kind("StatefulSet")
            .replicas(2)
            .cpu(0.6, 1.2)
            .memory(1024, 1536)
            .demand(42.0, Shape::Market, 0.12)
            .work(4.2, 0.03, 6.0, 0.5)
            .uses(430.0, 2.5, 0.0)
            .database(560.0, 190.0, "none", 48)
            .volume(120, 68.0, 260.0)
            .traffic(1_800.0, 600.0, 400.0, 5_200.0),
        // Waits for connections, and burns CPU on it: above 80 % of its request.
        s("order-history")
            .replicas(3)
            .cpu(0.4, 1.0)
            .memory(896, 1280)
            .demand(148.0, Shape::Day, 0.45)
            .work(5.0, 0.03, 5.0, 0.5)
            .uses(380.0, 1.6, 0.0)
            .database(95.0, 900.0, "partial", 5)
            .volume(80, 41.0, 70.0),
        // Works at night, idles by day.
        s("performance-report")
            .replicas(2)
            .cpu(2.0, 4.0)
            .memory(8192, 8192)
            .demand(3.2, Shape::Night, 0.5)
            .work(240.0, 0.02, 120.0, 0.7)
            .uses(900.0, 120.0, 0.0)
            .calls("order-history", 2.0),
        s("corporate-actions")
            .replicas(2)
            .cpu(0.15, 0.4)
            .memory(384, 512)
            .demand(6.0, Shape::Day, 0.3)
            .work(9.0, 0.015, 12.0, 0.5)
            .uses(230.0, 3.0, 0.0),
        // Its volume fills up.
        s("tick-archive")
            .kind("StatefulSet")
            .replicas(2)
            .cpu(0.6, 1.5)
            .memory(2048, 3072)
            .demand(320.0, Shape::Market, 0.1)
            .work(1.1, 0.05, 2.5, 0.5)
            .uses(1300.0, 0.9, 0.0)
            .volume(400, 300.0, 190.0)
            .traffic(1_100.0, 300.0, 3_000.0, 2_400.0),
    ]
}

fn edge(cluster: &str) -> Vec<Builder> {
    let s = |name: &str| service(cluster, "prices", name, "edge");
    vec![
        // Scales as it should.
        s("api-gateway")
            .replicas(4)
            .cpu(0.5, 1.0)
            .memory(512, 768)
            .autoscaler(3, 12, 60)
            .demand(1100.0, Shape::Day, 0.4)
            .work(1.15, 0.03, 2.0, 0.45)
            .uses(180.0, 0.35, 0.0)
            .calls("session-store", 0.9)
            .calls("order-history", 0.02),
        s("session-store")
            .kind("StatefulSet")
            .replicas(3)
            .cpu(0.5, 1.0)
            .memory(2048, 2560)
            .demand(40.0, Shape::Day, 0.5)
            .work(0.5, 0.03, 0.6, 0.3)
            .uses(1250.0, 0.8, 0.0)
            .volume(20, 7.5, 0.0),
        // Eight replicas for the requests of one.
        s("web-portal")
            .replicas(8)
            .cpu(0.5, 1.0)
            .memory(512, 512)
            .demand(70.0, Shape::Day, 0.5)
            .work(3.5, 0.012, 8.0, 0.5)
            .uses(150.0, 1.2, 0.0),
        // Leaks until it is killed, every day and a half.
        s("notification-hub")
            .replicas(3)
            .cpu(0.25, 0.6)
            .memory(640, 1024)
            .demand(48.0, Shape::Day, 0.6)
            .work(4.0, 0.02, 9.0, 0.5)
            .uses(290.0, 1.5, 18.0),
    ]
}

fn verify(cluster: &str) -> Vec<Builder> {
    let s = |name: &str| service(cluster, "verify", name, "verification");
    vec![
        // A cache far too small for its documents: p95 above 500 ms.
        s("kyb-document-ocr")
            .replicas(4)
            .cpu(1.5, 3.0)
            .memory(2048, 4096)
            .demand(60.0, Shape::Day, 0.25)
            .work(46.0, 0.05, 35.0, 0.5)
            .uses(760.0, 14.0, 0.0)
            .cache(128, 0.985, 110.0)
            .database(2150.0, 8.0, "full", 30)
            .timeout(15_000.0)
            .calls("document-store", 0.6),
        s("kyb-screening")
            .replicas(3)
            .cpu(1.2, 2.4)
            .memory(1536, 2048)
            .demand(34.0, Shape::Day, 0.25)
            .work(38.0, 0.04, 25.0, 0.5)
            .uses(690.0, 12.0, 0.0)
            .workers(40)
            .calls("address-lookup", 0.5)
            .calls("company-registry", 0.6),
        // Few, uneven requests handed out in turn: one replica queues while the others idle.
        s("address-lookup")
            .replicas(3)
            .cpu(0.5, 1.2)
            .memory(640, 896)
            .demand(9.0, Shape::Day, 0.3)
            .work(34.0, 0.02, 12.0, 0.55)
            .uses(300.0, 6.0, 0.0)
            .workers(4)
            .balancing("round_robin", 0.95),
        s("company-registry")
            .replicas(2)
            .cpu(0.5, 1.0)
            .memory(1024, 1536)
            .demand(12.0, Shape::Day, 0.3)
            .work(6.0, 0.03, 10.0, 0.5)
            .uses(420.0, 3.0, 0.0)
            .cache(384, 0.93, 90.0)
            .database(160.0, 150.0, "partial", 24),
        // The right size.
        s("case-manager")
            .replicas(2)
            .cpu(0.35, 0.8)
            .memory(704, 896)
            .demand(24.0, Shape::Day, 0.3)
            .work(15.0, 0.03, 14.0, 0.5)
            .uses(470.0, 3.5, 0.0)
            .calls("document-store", 0.4),
        // Nobody said what it needs.
        s("watchlist-sync").demand(1.6, Shape::Flat, 1.0).nervous(0.2, 4.0, 3.0, 0.0).work(130.0, 0.03, 200.0, 0.6).uses(310.0, 40.0, 0.0),
        s("document-store")
            .kind("StatefulSet")
            .replicas(3)
            .cpu(0.5, 1.0)
            .memory(1536, 2048)
            .demand(8.0, Shape::Day, 0.3)
            .work(2.6, 0.04, 9.0, 0.6)
            .uses(880.0, 3.0, 0.0)
            .volume(500, 231.0, 450.0)
            .traffic(52_000.0, 240_000.0, 210_000.0, 48_000.0),
        // Its memory limit is where its busiest hours are.
        s("kyb-webhooks")
            .replicas(2)
            .cpu(0.2, 0.5)
            .memory(320, 352)
            .demand(18.0, Shape::Day, 0.5)
            .nervous(0.12, 1.5, 1.6, 0.0)
            .work(6.0, 0.015, 18.0, 0.6)
            .uses(225.0, 5.2, 0.0),
    ]
}

fn compute(cluster: &str) -> Vec<Builder> {
    let s = |name: &str| service(cluster, "compute", name, "ai-compute");
    vec![
        // Four GPUs for the work of two.
        s("inference-pool-a")
            .replicas(4)
            .cpu(4.0, 8.0)
            .memory(16_384, 24_576)
            .gpu(1, 62.0, 17.0, (640.0, 110.0))
            .demand(17.0, Shape::Day, 0.6)
            .work(42.0, 0.2, 12.0, 0.4)
            .uses(9_200.0, 60.0, 0.0)
            .workers(32)
            .timeout(20_000.0)
            .calls("feature-builder", 0.7),
        // Two GPUs that are nearly always busy.
        s("inference-pool-b")
            .replicas(2)
            .cpu(4.0, 8.0)
            .memory(24_576, 32_768)
            .gpu(1, 150.0, 34.0, (900.0, 260.0))
            .demand(5.9, Shape::Day, 0.7)
            .nervous(0.08, 0.5, 1.25, 0.0)
            .work(60.0, 0.2, 15.0, 0.4)
            .uses(17_500.0, 120.0, 0.0)
            .workers(24)
            .timeout(30_000.0)
            .calls("embedding-service", 0.4),
        // Leaks slowly.
        s("feature-builder")
            .replicas(3)
            .cpu(1.0, 2.0)
            .memory(3072, 4096)
            .demand(14.0, Shape::Day, 0.7)
            .work(48.0, 0.05, 30.0, 0.5)
            .uses(1400.0, 9.0, 26.0),
        // Too few workers: requests queue while the CPU idles.
        s("embedding-service")
            .replicas(2)
            .cpu(2.0, 4.0)
            .memory(4096, 6144)
            .demand(34.0, Shape::Day, 0.7)
            .work(24.0, 0.08, 70.0, 0.45)
            .uses(2300.0, 6.0, 0.0)
            .workers(4),
        s("model-registry")
            .replicas(2)
            .cpu(1.0, 2.0)
            .memory(2048, 2048)
            .demand(1.2, Shape::Day, 0.5)
            .work(8.0, 0.01, 20.0, 0.6)
            .uses(260.0, 4.0, 0.0)
            .volume(200, 74.0, 7_000.0),
        s("training-scheduler").demand(0.8, Shape::Flat, 0.9).work(45.0, 0.02, 60.0, 0.5).uses(340.0, 10.0, 0.0),
    ]
}

fn others(cluster: &str) -> Vec<Builder> {
    vec![
        service(cluster, "platform", "audit-log", "edge")
            .git()
            .kind("StatefulSet")
            .replicas(2)
            .cpu(1.0, 2.0)
            .memory(2048, 2048)
            .demand(210.0, Shape::Day, 0.5)
            .work(0.8, 0.02, 2.0, 0.5)
            .uses(390.0, 0.6, 0.0)
            .volume(100, 37.0, 60.0),
        service(cluster, "platform", "metrics-relay", "edge")
            .git()
            .replicas(2)
            .cpu(0.3, 0.6)
            .memory(512, 768)
            .demand(90.0, Shape::Flat, 1.0)
            .work(1.9, 0.02, 1.5, 0.4)
            .uses(330.0, 0.4, 0.0),
        service(cluster, "prices", "market-data-api-staging", "trading-data")
            .staging()
            .replicas(2)
            .cpu(1.0, 2.0)
            .memory(2048, 2048)
            .demand(3.0, Shape::Day, 0.05)
            .work(4.8, 0.03, 6.0, 0.55)
            .uses(640.0, 2.0, 0.0),
        service(cluster, "verify", "kyb-screening-staging", "verification")
            .staging()
            .replicas(1)
            .cpu(1.0, 2.0)
            .memory(1536, 2048)
            .demand(0.9, Shape::Day, 0.05)
            .work(38.0, 0.03, 25.0, 0.5)
            .uses(610.0, 8.0, 0.0),
    ]
}
