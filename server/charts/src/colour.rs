//! What a line means, as a token of the style sheet.

use headroom_model::chart::Ink;
use plotters::style::RGBColor;

/// A colour of the style sheet: its token, what stands for it in plotters' output, and what shows where there is no style sheet.
pub struct Token {
    /// The custom property.
    pub name: &'static str,
    fallback: &'static str,
    /// A colour that nobody would choose, to be found again in the output.
    pub sentinel: RGBColor,
}

/// Every token that a chart uses.
static TOKENS: [Token; 12] = [
    Token { name: "--use", fallback: "#687d90", sentinel: RGBColor(1, 2, 1) },
    Token { name: "--ink", fallback: "#191d24", sentinel: RGBColor(1, 2, 2) },
    Token { name: "--accent", fallback: "#2055c7", sentinel: RGBColor(1, 2, 3) },
    Token { name: "--good", fallback: "#04743e", sentinel: RGBColor(1, 2, 4) },
    Token { name: "--bad", fallback: "#bb2127", sentinel: RGBColor(1, 2, 5) },
    Token { name: "--data-1", fallback: "#2f62c9", sentinel: RGBColor(1, 2, 6) },
    Token { name: "--data-2", fallback: "#008f8f", sentinel: RGBColor(1, 2, 7) },
    Token { name: "--data-3", fallback: "#bd7222", sentinel: RGBColor(1, 2, 8) },
    Token { name: "--data-4", fallback: "#944392", sentinel: RGBColor(1, 2, 9) },
    Token { name: "--line", fallback: "#e1e4e8", sentinel: RGBColor(1, 2, 10) },
    Token { name: "--ink-3", fallback: "#656a72", sentinel: RGBColor(1, 2, 11) },
    Token { name: "--warn", fallback: "#855300", sentinel: RGBColor(1, 2, 12) },
];

/// Grid lines.
pub static LINE: &Token = &TOKENS[9];
/// Axis labels.
pub static FAINT: &Token = &TOKENS[10];

impl Token {
    /// The token of an ink: asked for is ink, proposed is the accent, applied is green.
    pub fn of(ink: Ink) -> &'static Self {
        &TOKENS[match ink {
            Ink::Use => 0,
            Ink::Asked => 1,
            Ink::Proposed => 2,
            Ink::Applied => 3,
            Ink::Bad => 4,
            Ink::Data1 => 5,
            Ink::Data2 => 6,
            Ink::Data3 => 7,
            Ink::Data4 => 8,
            Ink::Watch => 11,
            Ink::Aside => 10,
        }]
    }
    /// As a value in CSS or in a chart's options.
    pub fn css(&self) -> String {
        format!("var({})", self.name)
    }
}

/// Puts tokens where plotters wrote sentinels.
pub fn with_tokens(svg: &str) -> String {
    TOKENS.iter().fold(svg.to_owned(), |svg, t| {
        svg.replace(&format!("\"#0102{:02X}\"", t.sentinel.2), &format!("\"var({},{})\"", t.name, t.fallback))
    })
}
