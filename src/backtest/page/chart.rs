//! Bars beside each other as SVG: some series over the same labels.

use super::escape;

const WIDTH: f64 = 920.0;
const HEIGHT: f64 = 240.0;
/// Room for numbers at the left, and for labels below.
const LEFT: f64 = 48.0;
const BELOW: f64 = 24.0;
const ABOVE: f64 = 10.0;
const LEGEND: f64 = 18.0;
/// Labels that fit below the bars.
const LABELS: usize = 8;
/// Apart for those who cannot tell some colours from others (Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8a00"];

/// Numbers of one name.
pub(super) struct Series {
    pub(super) name: String,
    /// One a label.
    pub(super) values: Vec<f64>,
}

/// A chart.
pub(super) struct Bars {
    pub(super) labels: Vec<String>,
    pub(super) series: Vec<Series>,
    /// After each number.
    pub(super) unit: &'static str,
}

impl Bars {
    /// The chart as SVG.
    pub(super) fn draw(&self, title: &str) -> String {
        let top = self.series.iter().flat_map(|series| &series.values).copied().fold(0.0, f64::max);
        let top = if self.unit.is_empty() { nice(top) } else { 100.0 };
        let whole = HEIGHT + LEGEND * number(self.series.len());
        let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {whole}\" role=\"img\" aria-label=\"{}\">\n", escape(title));
        self.scale(top, &mut svg);
        self.bars(top, &mut svg);
        for (place, series) in self.series.iter().enumerate() {
            let y = HEIGHT + LEGEND * number(place);
            svg.push_str(&format!(
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"12\" height=\"12\" fill=\"{}\"/><text x=\"{}\" y=\"{}\">{}</text>\n",
                colour(place),
                LEFT + 18.0,
                y + 11.0,
                escape(&series.name)
            ));
        }
        svg + "</svg>\n"
    }

    /// Lines with their numbers.
    fn scale(&self, top: f64, svg: &mut String) {
        for step in 0..=4 {
            let value = top * f64::from(step) / 4.0;
            let y = height(value, top);
            svg.push_str(&format!(
                "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#d9dee5\"/><text x=\"{}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{value}{}</text>\n",
                LEFT - 6.0,
                y + 4.0,
                self.unit
            ));
        }
    }

    fn bars(&self, top: f64, svg: &mut String) {
        let slot = (WIDTH - LEFT) / number(self.labels.len().max(1));
        let width = slot * 0.8 / number(self.series.len().max(1));
        let every = self.labels.len().div_ceil(LABELS).max(1);
        for (at, label) in self.labels.iter().enumerate() {
            let x = LEFT + slot * number(at) + slot * 0.1;
            for (place, series) in self.series.iter().enumerate() {
                let value = series.values.get(at).copied().unwrap_or(0.0);
                let y = height(value, top);
                svg.push_str(&format!(
                    "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{}\"><title>{}: {}, \
                     {value:.0}{}</title></rect>\n",
                    x + width * number(place),
                    HEIGHT - BELOW - y,
                    colour(place),
                    escape(label),
                    escape(&series.name),
                    self.unit
                ));
            }
            if at % every == 0 {
                svg.push_str(&format!("<text x=\"{x:.1}\" y=\"{}\">{}</text>\n", HEIGHT - 8.0, escape(label)));
            }
        }
    }
}

/// Where the top of a bar is.
fn height(value: f64, top: f64) -> f64 {
    let room = HEIGHT - BELOW - ABOVE;
    ABOVE + room - room * value / top
}

/// The least 4, 8, 20, 40, 80, 200, ... that is not below: its quarters are whole.
fn nice(most: f64) -> f64 {
    let mut scale = 1.0;
    loop {
        for step in [4.0, 8.0, 20.0] {
            if step * scale >= most {
                return step * scale;
            }
        }
        scale *= 10.0;
    }
}

fn colour(place: usize) -> &'static str {
    COLOURS[place % COLOURS.len()]
}

#[expect(clippy::cast_precision_loss, reason = "there are a few hundred bars at most")]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_has_whole_quarters_and_holds_every_bar() {
        for (most, top) in [(0.0, 4.0), (4.0, 4.0), (5.0, 8.0), (9.0, 20.0), (21.0, 40.0), (399.0, 400.0), (1e6, 2e6)] {
            assert_eq!(nice(most), top, "{most}");
        }
        assert_eq!((height(0.0, 4.0), height(4.0, 4.0)), (HEIGHT - BELOW, ABOVE));
    }
}
