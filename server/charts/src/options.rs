//! The model as options for ECharts, made with charming. Colours are tokens (`var(--use)`), which the page's chart script resolves.

use crate::colour::Token;
use crate::picture::LINE_HEIGHT;
use crate::scale::number;
use charming::Chart;
use charming::component::{Axis, Grid};
use charming::datatype::{CompositeValue, DataPoint};
use charming::element::{
    AreaStyle, AxisType, ItemStyle, Label, LineStyle, LineStyleType, MarkLine, MarkLineData, MarkLineVariant, NameLocation, Step, Symbol,
    Tooltip, Trigger,
};
use charming::series::Line;
use headroom_model::chart::{ChartBand, ChartModel, ChartSeries, Ink};
use serde_json::{Value, json};

/// The options. Times are milliseconds since the epoch, gaps are null, and a series' name is its label.
#[must_use]
pub fn echarts(model: &ChartModel) -> Value {
    let amounts = Axis::new().type_(AxisType::Value).name(model.unit.clone()).name_location(NameLocation::End);
    let below_zero = model.series.iter().flat_map(|s| &s.points).any(|p| p.1.is_some_and(|v| v < 0.0));
    let mut chart = Chart::new()
        .grid(Grid::new().left(48).right(right(model)).top(28).bottom(24))
        .tooltip(Tooltip::new().trigger(Trigger::Axis))
        .x_axis(Axis::new().type_(AxisType::Time))
        .y_axis(if below_zero { amounts } else { amounts.min(0) });
    for (i, band) in model.bands.iter().enumerate() {
        for line in stacked(band, i) {
            chart = chart.series(line);
        }
    }
    let mut lines: Vec<Line> = model.series.iter().map(line).chain(across(model)).collect();
    if lines.is_empty() {
        lines.push(Line::new());
    }
    let first = lines.remove(0).mark_line(marks(model));
    for line in std::iter::once(first).chain(lines) {
        chart = chart.series(line);
    }
    let mut options = serde_json::to_value(chart).unwrap_or_else(|_| json!({}));
    finish(&mut options, model);
    options
}

fn right(model: &ChartModel) -> i32 {
    let labels = model.series.iter().map(|s| s.label.chars().count() + if s.steps { 6 } else { 0 });
    let longest = labels.chain(model.thresholds.iter().map(|t| t.label.chars().count() + 6)).max().unwrap_or(0);
    14 + longest as i32 * 6
}

fn line(series: &ChartSeries) -> Line {
    // One point makes no line: it is seen as a point, or not at all.
    let alone = series.points.iter().filter(|p| p.1.is_some_and(f64::is_finite)).count() == 1;
    let token = Token::of(series.ink).css();
    let dash = if series.steps && matches!(series.ink, Ink::Asked | Ink::Bad) { LineStyleType::Dashed } else { LineStyleType::Solid };
    let line = Line::new()
        .name(series.label.clone())
        .show_symbol(alone)
        .connect_nulls(false)
        .item_style(ItemStyle::new().color(token.as_str()))
        .line_style(LineStyle::new().color(token.as_str()).width(1.4).type_(dash))
        .data(series.points.iter().map(|p| point(p.0, p.1.filter(|v| v.is_finite()))).collect::<Vec<_>>());
    if series.steps { line.step(Step::End) } else { line }
}

fn point(at: i64, value: Option<f64>) -> DataPoint {
    DataPoint::Value(CompositeValue::Array(vec![(at * 1000).into(), value.into()]))
}

/// A band as two stacked lines without strokes: the lower one bare, the difference filled.
fn stacked(band: &ChartBand, index: usize) -> [Line; 2] {
    let token = Token::of(band.ink).css();
    let bare = || Line::new().stack(format!("band-{index}")).show_symbol(false).silent(true).line_style(LineStyle::new().opacity(0.0));
    let lower =
        bare().name(format!("{} (lower end)", band.label)).data(band.points.iter().map(|p| point(p.0, Some(p.1))).collect::<Vec<_>>());
    let width = bare()
        .name(band.label.clone())
        .area_style(AreaStyle::new().color(token.as_str()).opacity(0.2))
        .data(band.points.iter().map(|p| point(p.0, Some(p.2 - p.1))).collect::<Vec<_>>());
    [lower, width]
}

/// Thresholds, as lines from end to end: their names then keep clear of those of the other lines.
fn across(model: &ChartModel) -> impl Iterator<Item = Line> {
    let (from, to) = model.time_range().unwrap_or_default();
    model.thresholds.iter().map(move |t| {
        let (token, width) = (Token::of(t.ink).css(), if t.ink == Ink::Proposed { 2.0 } else { 1.5 });
        let dash = if matches!(t.ink, Ink::Asked | Ink::Bad) { LineStyleType::Dashed } else { LineStyleType::Solid };
        Line::new()
            .name(t.label.clone())
            .show_symbol(false)
            .silent(true)
            .item_style(ItemStyle::new().color(token.as_str()))
            .line_style(LineStyle::new().color(token.as_str()).width(width).type_(dash))
            .data(vec![point(from, Some(t.value)), point(to, Some(t.value))])
    })
}

/// Marks, upright.
fn marks(model: &ChartModel) -> MarkLine {
    let label = |text: &str| Label::new().show(!text.is_empty()).formatter(text);
    let upright = model.marks.iter().map(|m| MarkLineData::new().name(m.label.clone()).x_axis(m.at * 1000).label(label(&m.label)));
    MarkLine::new().symbol(vec![Symbol::None, Symbol::None]).data(upright.map(MarkLineVariant::Simple).collect::<Vec<_>>())
}

/// The name at the end of the line that is drawn at this place, and its ink; thresholds come after the series.
fn end_label(model: &ChartModel, place: usize) -> Option<(String, Ink)> {
    if let Some(series) = model.series.get(place) {
        let last = series.points.iter().rev().find_map(|p| p.1);
        let text = if series.steps { format!("{} {}", last.map_or_else(String::new, number), series.label) } else { series.label.clone() };
        return Some((text, series.ink));
    }
    model.thresholds.get(place - model.series.len()).map(|t| (format!("{} {}", number(t.value), t.label), t.ink))
}

/// Where a mark's name stands beside it: near an end of the axis it would be cut in the middle, or lie on the names of the lines.
fn side(model: &ChartModel, at: i64) -> &'static str {
    let (from, to) = model.time_range().unwrap_or_default();
    match (at - from) as f64 / (to - from).max(1) as f64 {
        share if share < 0.2 => "left",
        share if share > 0.8 => "right",
        _ => "center",
    }
}

/// What charming has no word for: labels at the line's end, kept apart, a colour per mark, bands and thresholds out of the tooltip.
fn finish(options: &mut Value, model: &ChartModel) {
    let bands = model.bands.len() * 2;
    let Some(all) = options["series"].as_array_mut() else { return };
    for (i, one) in all.iter_mut().enumerate() {
        if i < bands || i >= bands + model.series.len() {
            one["tooltip"] = json!({ "show": false });
        }
        if let Some((text, ink)) = i.checked_sub(bands).and_then(|place| end_label(model, place)) {
            let formatter = text.replace(['{', '}'], "");
            let color = Token::of(ink).css();
            // Labels are moved apart by their line's height, which would be half a line without.
            one["endLabel"] = json!({ "show": true, "formatter": formatter, "color": color, "fontSize": 11, "lineHeight": LINE_HEIGHT });
            one["labelLayout"] = json!({ "moveOverlap": "shiftY" });
        }
    }
    let rules = all.get_mut(bands).and_then(|s| s["markLine"]["data"].as_array_mut());
    for (rule, mark) in rules.into_iter().flatten().zip(&model.marks) {
        let token = Token::of(mark.ink).css();
        let width = if matches!(mark.ink, Ink::Watch | Ink::Aside) { 1.0 } else { 1.5 };
        rule["lineStyle"] = json!({ "color": token, "type": "solid", "width": width });
        rule["label"]["color"] = json!(token);
        rule["label"]["position"] = json!("end");
        rule["label"]["align"] = json!(side(model, mark.at));
    }
}
