use crate::picture::{Plot, Size, runs, svg};
use crate::{echarts, spark};
use headroom_model::chart::{ChartBand, ChartModel, ChartSeries, Ink, Mark, Threshold};

const START: i64 = 1_763_683_200; // 2025-11-21T00:00:00Z

fn model() -> ChartModel {
    let wave = |i: i64| 1.0 + 0.7 * (i as f64 / 24.0).sin();
    ChartModel {
        title: "CPU use & request".into(),
        unit: "cores".into(),
        series: vec![
            ChartSeries {
                label: "use".into(),
                ink: Ink::Use,
                steps: false,
                points: (0..200).map(|i| (START + i * 3600, (!(40..60).contains(&i)).then(|| wave(i)))).collect(),
            },
            ChartSeries {
                label: "requested".into(),
                ink: Ink::Asked,
                steps: true,
                points: (0..200).map(|i| (START + i * 3600, Some(if i < 120 { 4.0 } else { 2.0 }))).collect(),
            },
        ],
        bands: vec![ChartBand {
            label: "3 h range".into(),
            ink: Ink::Data2,
            points: (0..200).map(|i| (START + i * 3600, wave(i) * 0.9, wave(i) * 1.1)).collect(),
        }],
        thresholds: vec![Threshold { label: "proposed".into(), ink: Ink::Proposed, value: 2.0 }],
        marks: vec![Mark { label: "applied".into(), ink: Ink::Applied, at: START + 120 * 3600 }],
    }
}

/// Every polyline of a colour, as (time, value) read back from its pixels.
fn read_back(picture: &str, token: &str, plot: Plot) -> Vec<Vec<(f64, f64)>> {
    let back = |pixels: &str| {
        let (x, y) = pixels.split_once(',').unwrap();
        let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
        let (w, h) = (f64::from(plot.x.1 - plot.x.0), f64::from(plot.y.1 - plot.y.0));
        let at = plot.from as f64 + (x - f64::from(plot.x.0)) / w * (plot.to - plot.from) as f64;
        (at, plot.axis.low + (f64::from(plot.y.1) - y) / h * (plot.axis.high - plot.axis.low))
    };
    let lines = picture.split("<polyline").skip(1).map(|rest| rest.split("/>").next().unwrap());
    let lines = lines.filter(|l| l.contains(&format!("stroke=\"var({token},")));
    lines.map(|l| l.split("points=\"").nth(1).unwrap().split('"').next().unwrap().split_whitespace().map(back).collect()).collect()
}

#[test]
fn both_renderers_show_the_same_points_and_gaps_stay_gaps() {
    let model = model();
    let (picture, options) = (svg(&model, Size::default(), "c"), echarts(&model));
    let plot = Plot::of(&model, Size::default()).unwrap();
    let drawn = read_back(&picture, "--use", plot);
    assert_eq!(drawn.len(), 2, "the gap splits the line");
    assert_eq!(drawn.iter().map(Vec::len).collect::<Vec<_>>(), [40, 140]);

    let data = options["series"][2]["data"].as_array().unwrap();
    assert_eq!(options["series"][2]["name"], "use");
    assert_eq!(data.len(), 200);
    assert!(data[40..60].iter().all(|p| p[1].is_null()), "gaps are null");
    let shown: Vec<(f64, f64)> =
        data.iter().filter(|p| !p[1].is_null()).map(|p| (p[0].as_f64().unwrap() / 1000.0, p[1].as_f64().unwrap())).collect();
    let (x_pixel, y_pixel) =
        ((plot.to - plot.from) as f64 / f64::from(plot.x.1 - plot.x.0), (plot.axis.high - plot.axis.low) / f64::from(plot.y.1 - plot.y.0));
    for (svg, web) in drawn.concat().iter().zip(&shown) {
        assert!((svg.0 - web.0).abs() <= x_pixel * 1.01 && (svg.1 - web.1).abs() <= y_pixel * 1.01, "{svg:?} against {web:?}");
    }
    let (lower, width) = (&options["series"][0]["data"], &options["series"][1]["data"]);
    for (i, (at, low, high)) in model.bands[0].points.iter().enumerate() {
        assert_eq!(lower[i][0].as_i64().unwrap(), at * 1000);
        assert!((lower[i][1].as_f64().unwrap() - low).abs() < 1e-9);
        assert!((lower[i][1].as_f64().unwrap() + width[i][1].as_f64().unwrap() - high).abs() < 1e-9);
    }
}

#[test]
fn thresholds_and_marks_carry_their_labels_in_both() {
    let (picture, options) = (svg(&model(), Size::default(), "c"), echarts(&model()));
    for label in ["2 proposed", "2 requested", "applied", "use"] {
        assert!(picture.contains(&format!("{label}\n")) || picture.contains(&format!(">{label}<")), "{label} in {picture}");
    }
    let proposed = &options["series"][4];
    assert_eq!((&proposed["endLabel"]["formatter"], &proposed["lineStyle"]["color"]), (&"2 proposed".into(), &"var(--accent)".into()));
    let ends: Vec<(i64, f64)> =
        proposed["data"].as_array().unwrap().iter().map(|p| (p[0].as_i64().unwrap() / 1000, p[1].as_f64().unwrap())).collect();
    assert_eq!(ends, [(START, 2.0), (START + 199 * 3600, 2.0)], "from end to end");
    let rules = options["series"][2]["markLine"]["data"].as_array().unwrap();
    assert_eq!(rules[0]["xAxis"].as_i64(), Some((START + 120 * 3600) * 1000));
}

#[test]
fn a_marks_name_stays_on_the_chart() {
    let places = [0, 30, 100, 170, 199];
    let mark = |hour: i64| Mark { label: "1.2.3 deployed".into(), ink: Ink::Aside, at: START + hour * 3600 };
    let options = echarts(&ChartModel { marks: places.map(mark).to_vec(), ..model() });
    let rules = options["series"][2]["markLine"]["data"].as_array().unwrap();
    let sides: Vec<&str> = rules.iter().map(|rule| rule["label"]["align"].as_str().unwrap()).collect();
    assert_eq!(sides, ["left", "left", "center", "right", "right"]);
}

#[test]
fn a_series_of_one_point_is_seen() {
    let mut model = model();
    model.series[0].points = vec![(START, None), (START + 3600, Some(1.0))];
    let options = echarts(&model);
    assert_eq!((&options["series"][2]["showSymbol"], &options["series"][3]["showSymbol"]), (&true.into(), &false.into()));
}

#[test]
fn names_at_the_end_of_lines_keep_apart() {
    // Requested and proposed end at one height: both names are laid out together, and in the picture a line of text apart.
    let (picture, options) = (svg(&model(), Size::default(), "c"), echarts(&model()));
    let all = options["series"].as_array().unwrap();
    let named: Vec<&str> =
        all.iter().filter(|s| s["endLabel"]["show"] == true).map(|s| s["endLabel"]["formatter"].as_str().unwrap()).collect();
    assert_eq!(named, ["use", "2 requested", "2 proposed"]);
    assert!(all.iter().filter(|s| s["endLabel"]["show"] == true).all(|s| s["labelLayout"]["moveOverlap"] == "shiftY"), "{options}");
    assert!(all.iter().filter(|s| s["endLabel"]["show"] == true).all(|s| s["endLabel"]["lineHeight"] == 14), "{options}");
    let place = |label: &str| -> f64 {
        let (before, _) = picture.rsplit_once(label).unwrap();
        before.rsplit_once(" y=\"").unwrap().1.split('"').next().unwrap().parse().unwrap()
    };
    assert!((place("2 requested") - place("2 proposed")).abs() >= 14.0, "{picture}");
}

#[test]
fn a_picture_is_safe_under_the_content_security_policy_and_follows_the_theme() {
    let picture = svg(&model(), Size::default(), "c");
    assert!(!picture.contains("style="), "{picture}");
    assert!(!picture.contains("#0102"), "every sentinel became a token");
    assert!(picture.contains("var(--use,"));
    assert!(picture.starts_with("<svg viewBox=\"0 0 860 268\" role=\"img\" aria-labelledby=\"c-t c-d\""));
    assert!(picture.contains("CPU use &amp; request</title>"));
    assert_eq!(picture.matches("<svg").count(), 1);
    assert_eq!(picture.matches("</svg>").count(), 1);
}

#[test]
fn an_empty_model_says_so() {
    let empty = ChartModel { title: "CPU".into(), unit: "cores".into(), ..ChartModel::default() };
    assert!(svg(&empty, Size::default(), "c").contains("no samples in this range"));
    assert!(echarts(&empty)["series"].is_array());
}

#[test]
fn axes_start_at_zero_and_end_at_a_round_number() {
    let plot = Plot::of(&model(), Size::default()).unwrap();
    assert_eq!((plot.axis.low, plot.axis.high, plot.axis.step), (0.0, 4.0 + plot.axis.step, 1.0));
    assert_eq!(runs(&[(0, None), (1, Some(1.0)), (2, None), (3, Some(f64::NAN)), (4, Some(2.0))]), [vec![(1, 1.0)], vec![(4, 2.0)]]);
}

#[test]
fn amounts_start_at_zero_unless_some_are_below() {
    let axis = |model: &ChartModel| echarts(model)["yAxis"].clone();
    assert_eq!(axis(&model())["min"], 0);
    let mut below = model();
    below.series[0].points[0].1 = Some(-76.2);
    assert_eq!(axis(&below)["min"], serde_json::Value::Null);
    assert_eq!(axis(&below)["type"], "value");
}

#[test]
fn a_spark_keeps_its_gaps() {
    let picture = spark(&[Some(1.0), Some(2.0), None, Some(1.0), Some(3.0)]);
    assert_eq!(picture.matches('M').count(), 2, "{picture}");
}
