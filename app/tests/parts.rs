//! The pure parts of pages. They are here rather than beside what they test: a library with unit tests is compiled twice, and this one
//! takes longer than any other.

mod bar {
    use headroom_app::components::bar::{LEFT, place, words};
    use headroom_model::metric::Metric;
    use headroom_model::recommendation::UseBar;

    #[test]
    fn marks_stand_in_order_and_inside_the_picture() {
        let bar = UseBar { metric: Metric::CpuUsage, p50: 0.7, p99: 1.55, peak: 1.71, request: Some(4.0), proposed: Some(2.0) };
        let m = place(&bar);
        assert!(LEFT < m.p50 && m.p50 < m.p99 && m.p99 < m.peak && m.peak < m.proposed.unwrap() && m.proposed < m.request);
        assert!(m.request.unwrap() < 144.0);
        assert_eq!(words(&bar, false), "CPU use: p50 0.70 cores, p99 1.55 cores, peak 1.71 cores; request 4.00 cores; proposed 2.00 cores");
    }

    #[test]
    fn a_service_without_use_has_a_bar_without_width() {
        let bar = UseBar { metric: Metric::CpuUsage, p50: 0.0, p99: 0.0, peak: 0.0, request: None, proposed: None };
        assert_eq!(place(&bar).peak, LEFT);
        assert!(words(&bar, false).ends_with("no request"));
    }
}

mod scatter {
    use headroom_app::components::scatter::{X, Y, decades, x, y};
    use headroom_model::view::HeadroomDot;

    #[test]
    fn every_dot_lies_inside_the_picture() {
        let dot = |peak_share, cost_month| HeadroomDot { service_name: "a".into(), peak_share, cost_month };
        let dots = [dot(0.1, 12.0), dot(3.0, 4800.0), dot(0.8, 0.0)];
        let grid = decades(&dots);
        assert_eq!((grid[0], grid[grid.len() - 1]), (10.0, 10_000.0));
        for d in &dots {
            assert!((X.0..=X.1).contains(&x(d.peak_share)));
            assert!((Y.1..=Y.0).contains(&y(d.cost_month, grid[0], 10_000.0)));
        }
    }
}

mod stages {
    use headroom_app::components::stages::progress;
    use headroom_model::change::Substate;

    #[test]
    fn no_state_is_further_than_its_last_station() {
        for state in Substate::ALL {
            let (behind, class) = progress(*state);
            assert!(behind <= 6 && !class.is_empty(), "{state}");
            assert_eq!(behind == 6, matches!(state, Substate::Applied | Substate::Closed), "{state}");
        }
    }

    #[test]
    fn a_change_advances_through_the_stations() {
        use Substate as S;
        let way = [S::PendingApproval, S::Approved, S::Preflight, S::Applying, S::Observing, S::Applied];
        assert!(way.windows(2).all(|w| progress(w[0]).0 <= progress(w[1]).0));
    }
}

mod format {
    use headroom_app::format::*;
    use headroom_model::metric::Metric;
    use headroom_model::time::Timestamp;
    use headroom_model::units::{GIB, MIB};

    #[test]
    fn figures_have_three_digits_and_their_unit() {
        for (value, text) in
            [(0.08, "0.08"), (1.714, "1.71"), (41.23, "41.2"), (412.4, "412"), (1240.0, "1,240"), (-2.5, "−2.50"), (f64::NAN, "–")]
        {
            assert_eq!(number(value), text);
        }
        for (value, text) in [(0.0008, "0.08 %"), (0.48, "48 %"), (0.0291, "2.9 %"), (1.0, "100 %"), (0.0, "0.00 %")] {
            assert_eq!(share(value), text);
        }
        assert_eq!(bytes(4.3 * GIB as f64), "4.3 GiB");
        assert_eq!(bytes(512.0 * MIB as f64), "512 MiB");
        assert_eq!(of(Metric::CpuUsage, 1.71, 2.0), "1.71 of 2.00 cores");
        assert_eq!(of(Metric::MemoryWorkingSet, 4.3 * GIB as f64, 6.0 * GIB as f64), "4.3 of 6 GiB");
        assert_eq!(signed_percent(4.06), "+4.1 %");
        assert_eq!(value(Metric::CacheHitRatio, 0.941), "94 %");
    }

    #[test]
    fn lengths_of_time_name_two_units_at_most() {
        for (seconds, text) in
            [(8, "8 s"), (110, "1 min 50 s"), (720, "12 min"), (7200, "2 h"), (75_600 + 518_400, "6 d 21 h"), (-5, "0 s")]
        {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(ago(Timestamp::from_secs(0), Timestamp::from_secs(750)), "12 min ago");
    }

    #[test]
    fn names_become_initials() {
        assert_eq!([initials("J. Ortiz"), initials("engineer"), initials("")], ["JO".to_owned(), "EN".to_owned(), "?".to_owned()]);
    }
}

mod live {
    use headroom_app::live::keep_places;

    #[test]
    fn rows_do_not_jump_when_their_values_change() {
        assert_eq!(keep_places(&[3, 1, 2], vec![1, 2, 3], |r| *r), [3, 1, 2]);
        assert_eq!(keep_places(&[3, 1, 2], vec![5, 2, 3, 4], |r| *r), [3, 2, 5, 4]);
        assert_eq!(keep_places(&[], vec![2, 1], |r| *r), [2, 1]);
    }
}

mod link {
    use headroom_app::link::{decode, encode, local, with};

    #[test]
    fn every_text_survives_an_address() {
        for text in ["a b", "ä%/?&=", "100 %", "cluster:ns:name", ""] {
            assert_eq!(decode(&encode(text)), text);
        }
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(with("/services", &[("q", ""), ("team", "a&b")]), "/services?team=a%26b");
    }

    #[test]
    fn nobody_is_sent_to_another_site() {
        assert_eq!(local("//evil.example"), "/");
        assert_eq!(local("https://evil.example"), "/");
        assert_eq!(local("/\\evil.example"), "/");
        assert_eq!(local("/services?q=a"), "/services?q=a");
    }
}

mod services {
    use headroom_app::pages::services::address;
    use headroom_model::view::ServiceQuery;

    #[test]
    fn a_filter_keeps_the_others_and_begins_at_the_first_page() {
        let q = ServiceQuery { q: "a b".into(), team: "edge".into(), cursor: "x".into(), ..ServiceQuery::default() };
        assert_eq!(address(&q, "verdict", "optimal"), "/services?q=a%20b&team=edge&verdict=optimal");
        assert_eq!(address(&q, "team", ""), "/services?q=a%20b");
    }
}

mod account {
    use headroom_app::pages::account::browser;

    #[test]
    fn browsers_are_called_by_their_names() {
        for (agent, name) in [
            ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36", "Chrome on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0",
                "Edge on Windows",
            ),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Safari/604.1", "Safari on iPhone"),
            ("curl/8.5.0", "curl"),
            ("something else", "something else"),
        ] {
            assert_eq!(browser(agent), name);
        }
    }
}

mod recommendation {
    use headroom_app::pages::recommendation::patch;
    use headroom_model::view::{DiffLine, DiffObject};

    #[test]
    fn a_patch_is_the_state_after_the_change_one_document_per_object() {
        let line = |old, new, text: &str| DiffLine { old, new, text: text.to_owned(), note: None };
        let lines = vec![line(Some(1), Some(1), "spec:"), line(Some(2), None, "  replicas: 3"), line(None, Some(2), "  replicas: 2")];
        let object = DiffObject { path: "Deployment shop/cart".to_owned(), lines };
        let one = "# Deployment shop/cart\nspec:\n  replicas: 2\n---\n";
        assert_eq!(patch(std::slice::from_ref(&object)), one);
        assert_eq!(patch(&[object.clone(), object]), one.repeat(2));
    }
}

mod service_propose {
    use headroom_app::pages::service_propose::hint;
    use headroom_model::service::{Parameter, ResourceState};

    #[test]
    fn every_field_says_what_it_takes() {
        let choice = Parameter::Choice { value: "a".into(), allowed: vec!["a".into(), "b".into()] };
        let state = ResourceState { parameters: [("balancing".to_owned(), choice)].into(), ..ResourceState::default() };
        assert_eq!(hint(&state, "containers.api.requests.cpu"), "cores: 500m, 1.5");
        assert_eq!(hint(&state, "containers.api.limits.memory"), "bytes: 800Mi, 1Gi");
        assert_eq!(hint(&state, "parameters.balancing"), "one of a, b");
        assert_eq!(hint(&state, "replicas"), "a whole number");
    }
}

mod insights {
    use headroom_app::pages::service_insights::expected;
    use headroom_model::metric::Metric;
    use headroom_model::time::Timestamp;
    use headroom_model::view::{Ahead, Expected, RunsOut};

    fn day(day: i64) -> Timestamp {
        Timestamp::from_secs(1_764_115_200 + day * 86_400)
    }

    fn ahead(runs_out: Option<(Option<i64>, Option<i64>, Option<i64>)>) -> Ahead {
        let runs_out = runs_out.map(|(earliest, likely, latest)| RunsOut {
            capacity: 4.0 * (1u64 << 30) as f64,
            earliest: earliest.map(day),
            likely: likely.map(day),
            latest: latest.map(day),
            looked_until: day(14),
        });
        let gib = |v: f64| v * (1u64 << 30) as f64;
        Ahead {
            method: "Theta 100 %".into(),
            error: None,
            origins: 0,
            peak: Expected { at: day(6), mean: gib(2.0), lo95: gib(1.5), hi95: gib(2.5) },
            peak_before: gib(1.75),
            runs_out,
            until: day(7),
            steps: Vec::new(),
        }
    }

    #[test]
    fn what_is_expected_is_said_with_its_interval() {
        let peak = "Highest around 2 Dec, 00:00, at 2 GiB (95 %: 1.5 GiB to 2.5 GiB); the days before it was 1.75 GiB.";
        let said = |runs_out| expected(Metric::MemoryWorkingSet, &ahead(runs_out));
        assert_eq!(said(None), peak);
        assert_eq!(said(Some((None, None, None))), format!("{peak} It stays below 4 GiB until 10 Dec, 00:00."));
        assert_eq!(
            said(Some((Some(9), Some(11), None))),
            format!("{peak} It reaches 4 GiB around 7 Dec, 00:00 (95 %: 5 Dec, 00:00 to after 10 Dec, 00:00).")
        );
        assert_eq!(
            said(Some((Some(9), None, None))),
            format!("{peak} It is not expected to reach 4 GiB by 10 Dec, 00:00, but may from 5 Dec, 00:00 on.")
        );
    }
}
