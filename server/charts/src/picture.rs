//! The model as SVG, drawn with plotters.

use crate::colour::{FAINT, LINE, Token, with_tokens};
use crate::scale::{ValueAxis, number, time_ticks};
use headroom_model::chart::{ChartModel, Ink};
use headroom_model::time::Timestamp;
use plotters::coord::types::{RangedCoordf64, RangedCoordi64};
use plotters::element::DashedPathElement;
use plotters::prelude::{Cartesian2d, Circle, DrawingArea, IntoDrawingArea, PathElement, Polygon, SVGBackend, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, ShapeStyle, TextStyle, register_font};
use std::sync::Once;

/// Pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Width.
    pub w: u32,
    /// Height.
    pub h: u32,
}

/// The first paint of a chart panel.
impl Default for Size {
    fn default() -> Self {
        Self { w: 860, h: 268 }
    }
}

const LEFT: i32 = 48;
const TOP: i32 = 16;
const BOTTOM: i32 = 24;
const FONT: &str = "Inter Variable";
/// plotters divides by 1.24 to get the size in CSS pixels: 11.
const FONT_SIZE: f64 = 13.64;
/// Of a line of text.
pub(crate) const LINE_HEIGHT: i32 = 14;

static FONTS: Once = Once::new();

type Area<'a> = DrawingArea<SVGBackend<'a>, Cartesian2d<RangedCoordi64, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Where the plot lies inside the picture, and what its axes cover.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plot {
    pub from: i64,
    pub to: i64,
    pub axis: ValueAxis,
    pub x: (i32, i32),
    pub y: (i32, i32),
}

impl Plot {
    pub fn of(model: &ChartModel, size: Size) -> Option<Self> {
        let (from, to) = model.time_range()?;
        let lowest = model.series.iter().flat_map(|s| s.points.iter().filter_map(|p| p.1));
        let lowest =
            lowest.chain(model.bands.iter().flat_map(|b| b.points.iter().map(|p| p.1))).filter(|v| v.is_finite()).fold(0.0, f64::min);
        let longest = end_labels(model).iter().map(|l| l.text.chars().count()).max().unwrap_or(0) as i32;
        let right = size.w as i32 - if longest > 0 { 14 + longest * 6 } else { 12 };
        Some(Self {
            from,
            to: to.max(from + 1),
            axis: ValueAxis::covering(lowest, model.top()),
            x: (LEFT, right.max(LEFT + 40)),
            y: (TOP, size.h as i32 - BOTTOM),
        })
    }
    fn pixel_x(self, at: i64) -> i32 {
        self.x.0 + ((at - self.from) as f64 / (self.to - self.from) as f64 * f64::from(self.x.1 - self.x.0)) as i32
    }
    fn pixel_y(self, value: f64) -> i32 {
        let share = (value - self.axis.low) / (self.axis.high - self.axis.low);
        self.y.1 - (share * f64::from(self.y.1 - self.y.0)) as i32
    }
}

/// Draws a chart. `id` makes the ids of its title and description unique on the page. An empty model gives a picture that says so.
#[must_use]
pub fn svg(model: &ChartModel, size: Size, id: &str) -> String {
    FONTS.call_once(|| {
        let known = register_font(FONT, FontStyle::Normal, include_bytes!("../font/inter-subset.ttf")).is_ok();
        debug_assert!(known, "the bundled font is a font");
    });
    let mut body = String::new();
    let drawn = match Plot::of(model, size) {
        Some(plot) => draw(model, size, plot, &mut body),
        None => draw_empty(size, &mut body),
    };
    if drawn.is_err() {
        body.clear();
    }
    let inner = body.split_once('>').and_then(|(_, rest)| rest.split_once('>').map(|(head, tail)| (head, tail, rest)));
    // plotters writes an optional XML comment and the svg element; what follows them is the drawing.
    let inner = inner.map_or("", |(_, _, rest)| rest).trim_end().trim_end_matches("</svg>");
    format!(
        r#"<svg viewBox="0 0 {} {}" role="img" aria-labelledby="{id}-t {id}-d" xmlns="http://www.w3.org/2000/svg"><title id="{id}-t">{}</title><desc id="{id}-d">{}</desc>{}</svg>"#,
        size.w,
        size.h,
        escape(&model.title),
        escape(&describe(model)),
        with_tokens(inner)
    )
}

fn draw_empty(size: Size, body: &mut String) -> Drawn {
    let root = SVGBackend::with_string(body, (size.w, size.h)).into_drawing_area();
    let style = text(FAINT, HPos::Center, VPos::Center);
    root.draw(&Text::new("no samples in this range", (size.w as i32 / 2, size.h as i32 / 2), style))?;
    root.present()?;
    Ok(())
}

fn draw(model: &ChartModel, size: Size, plot: Plot, body: &mut String) -> Drawn {
    let root = SVGBackend::with_string(body, (size.w, size.h)).into_drawing_area();
    let coord = Cartesian2d::<RangedCoordi64, RangedCoordf64>::new(
        plot.from..plot.to,
        plot.axis.low..plot.axis.high,
        (plot.x.0..plot.x.1, plot.y.1..plot.y.0),
    );
    let area: Area = root.apply_coord_spec(coord);
    axes(&area, model, plot)?;
    for band in &model.bands {
        let upper = band.points.iter().map(|p| (p.0, p.2));
        let outline: Vec<_> = upper.chain(band.points.iter().rev().map(|p| (p.0, p.1))).collect();
        area.draw(&Polygon::new(outline, Token::of(band.ink).sentinel.mix(0.2).filled()))?;
    }
    for threshold in &model.thresholds {
        rule(&area, threshold.ink, vec![(plot.from, threshold.value), (plot.to, threshold.value)])?;
    }
    for series in &model.series {
        for run in runs(&series.points) {
            match (series.steps, run.as_slice()) {
                (_, [one]) => area.draw(&Circle::new(*one, 1, Token::of(series.ink).sentinel.filled()))?,
                (true, _) => rule(&area, series.ink, stairs(&run))?,
                (false, _) => area.draw(&PathElement::new(run, stroke(Token::of(series.ink), 1)))?,
            }
        }
    }
    marks(&area, model, plot)?;
    labels(&area, model, plot)?;
    root.present()?;
    Ok(())
}

fn axes(area: &Area, model: &ChartModel, plot: Plot) -> Drawn {
    let ticks = plot.axis.ticks();
    let last = ticks.len() - 1;
    for (i, value) in ticks.into_iter().enumerate() {
        area.draw(&PathElement::new(vec![(plot.from, value), (plot.to, value)], stroke(LINE, 1)))?;
        let pixel = area.strip_coord_spec();
        pixel.draw(&Text::new(number(value), (plot.x.0 - 8, plot.pixel_y(value)), text(FAINT, HPos::Right, VPos::Center)))?;
        if i == last {
            pixel.draw(&Text::new(model.unit.clone(), (plot.x.0, plot.y.0 - 3), text(FAINT, HPos::Left, VPos::Bottom)))?;
        }
    }
    for (at, label) in time_ticks(plot.from, plot.to) {
        let place = (plot.pixel_x(at), plot.y.1 + 6);
        area.strip_coord_spec().draw(&Text::new(label, place, text(FAINT, HPos::Left, VPos::Top)))?;
    }
    Ok(())
}

/// A horizontal or stepped line: dashed where it is what is asked for now.
fn rule(area: &Area, ink: Ink, points: Vec<(i64, f64)>) -> Drawn {
    let style = stroke(Token::of(ink), if ink == Ink::Proposed { 2 } else { 1 });
    if matches!(ink, Ink::Asked | Ink::Bad) {
        area.draw(&DashedPathElement::new(points, 5, 4, style))?;
    } else {
        area.draw(&PathElement::new(points, style))?;
    }
    Ok(())
}

fn marks(area: &Area, model: &ChartModel, plot: Plot) -> Drawn {
    for mark in model.marks.iter().filter(|m| (plot.from..=plot.to).contains(&m.at)) {
        let token = Token::of(mark.ink);
        let width = if matches!(mark.ink, Ink::Watch | Ink::Aside) { 1 } else { 2 };
        area.draw(&PathElement::new(vec![(mark.at, plot.axis.low), (mark.at, plot.axis.high)], stroke(token, width)))?;
        let x = plot.pixel_x(mark.at);
        let pixel = area.strip_coord_spec();
        pixel.draw(&Circle::new((x, plot.y.0), 3, token.sentinel.filled()))?;
        let (dx, side) = if x > (plot.x.0 + plot.x.1) / 2 { (-8, HPos::Right) } else { (8, HPos::Left) };
        if !mark.label.is_empty() {
            pixel.draw(&Text::new(mark.label.clone(), (x + dx, plot.y.0), text(token, side, VPos::Center)))?;
        }
    }
    Ok(())
}

struct EndLabel {
    text: String,
    ink: Ink,
    value: f64,
}

/// What stands at the right end of each line instead of a legend.
fn end_labels(model: &ChartModel) -> Vec<EndLabel> {
    let thresholds =
        model.thresholds.iter().map(|t| EndLabel { text: format!("{} {}", number(t.value), t.label), ink: t.ink, value: t.value });
    let series = model.series.iter().filter_map(|s| {
        let value = s.points.iter().rev().find_map(|p| p.1)?;
        let text = if s.steps { format!("{} {}", number(value), s.label) } else { s.label.clone() };
        Some(EndLabel { text, ink: s.ink, value })
    });
    thresholds.chain(series).collect()
}

fn labels(area: &Area, model: &ChartModel, plot: Plot) -> Drawn {
    let mut labels = end_labels(model);
    labels.sort_by(|a, b| b.value.total_cmp(&a.value));
    let mut places: Vec<i32> = labels.iter().map(|l| plot.pixel_y(l.value)).collect();
    spread(&mut places, plot.y.0, plot.y.1);
    for (label, y) in labels.into_iter().zip(places) {
        let style = text(Token::of(label.ink), HPos::Left, VPos::Center);
        area.strip_coord_spec().draw(&Text::new(label.text, (plot.x.1 + 8, y), style))?;
    }
    Ok(())
}

/// Moves ascending places apart so that no two lines of text overlap, within `top..=bottom` where there is room.
fn spread(places: &mut [i32], top: i32, bottom: i32) {
    let mut least = top;
    for place in places.iter_mut() {
        *place = (*place).max(least);
        least = *place + LINE_HEIGHT;
    }
    let mut most = bottom;
    for place in places.iter_mut().rev() {
        *place = (*place).min(most);
        most = *place - LINE_HEIGHT;
    }
}

/// The points between gaps.
pub(crate) fn runs(points: &[(i64, Option<f64>)]) -> Vec<Vec<(i64, f64)>> {
    let split = points.split(|p| !p.1.is_some_and(f64::is_finite));
    split.filter(|run| !run.is_empty()).map(|run| run.iter().filter_map(|p| Some((p.0, p.1?))).collect()).collect()
}

/// Each value held until the next.
fn stairs(run: &[(i64, f64)]) -> Vec<(i64, f64)> {
    let mut out = vec![run[0]];
    for pair in run.windows(2) {
        if pair[0].1 != pair[1].1 {
            out.extend([(pair[1].0, pair[0].1), pair[1]]);
        }
    }
    out.extend(run.last());
    out
}

fn stroke(token: &'static Token, width: u32) -> ShapeStyle {
    token.sentinel.stroke_width(width)
}

fn text(token: &'static Token, h: HPos, v: VPos) -> TextStyle<'static> {
    TextStyle::from((FONT, FONT_SIZE).into_font()).color(&token.sentinel).pos(Pos::new(h, v))
}

/// What a reader who does not see the picture should know.
fn describe(model: &ChartModel) -> String {
    let Some((from, to)) = model.time_range() else { return "No samples in this range.".to_owned() };
    let day = |at| {
        let c = Timestamp::from_secs(at).civil();
        format!("{} {} {}", c.day, c.month_name(), c.year)
    };
    let mut parts = vec![format!("From {} to {}, in {}.", day(from), day(to), model.unit)];
    for s in &model.series {
        let values = s.points.iter().filter_map(|p| p.1).filter(|v| v.is_finite());
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        if low.is_finite() {
            parts.push(format!("{}: between {} and {}.", s.label, number(low), number(high)));
        }
    }
    parts.extend(model.thresholds.iter().map(|t| format!("{} {}.", number(t.value), t.label)));
    parts.extend(model.marks.iter().filter(|m| !m.label.is_empty()).map(|m| format!("{} on {}.", m.label, day(m.at))));
    parts.join(" ")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
