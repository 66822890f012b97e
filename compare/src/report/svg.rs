//! Line charts and stacked bars as SVG, readable on light and dark ground. Knows no peers.

use std::fmt::Write as _;

const WIDTH: f64 = 850.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 220.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 52.0;

/// Room for a name left of the end of its line, how far it is from there, how far two names are from
/// each other, and the width of a letter.
const NAME: f64 = 140.0;
const NAME_ASIDE: f64 = 14.0;
const ROW: f64 = 13.0;
const LETTER: f64 = 6.5;

/// Mid tones, told apart on white and on black.
const COLORS: [&str; 16] = [
    "#e5484d", "#f0989b", "#a83a42", "#8a8f98", "#e38c2a", "#3b82d6", "#16a3a3", "#7c6fe0",
    "#a8743c", "#2f9e55", "#c9a20a", "#b565c4", "#5c9e1f", "#4aa8d8", "#d5608f", "#5f6b3a",
];

/// The ground is left transparent; the text follows the reader's theme.
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#333}.title{font-size:15px;\
    font-weight:600}.faint{fill:#777}.grid{stroke:#8884;stroke-width:1}\
    @media(prefers-color-scheme:dark){text{fill:#ddd}.faint{fill:#999}}";

const GRID: &str = "class=\"grid\"";

#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Place in the palette: the same in all charts.
    pub(crate) color: usize,
    /// Drawn thicker.
    pub(crate) bold: bool,
    pub(crate) dashed: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) log: bool,
    /// Where there are marks; none: chosen.
    pub(crate) ticks: Vec<(f64, String)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
}

/// One bar made of parts.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) parts: Vec<(String, f64)>,
}

/// Values between `low` and `high` on so many pixels.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Lines {
    /// `None` when there is nothing to draw, or one point of each only.
    pub(crate) fn draw(&self) -> Option<String> {
        let mut svg = open(HEIGHT);
        self.draw_at(&mut svg, 0.0)?;
        Some(svg + "</svg>\n")
    }

    /// Two charts, one above the other.
    pub(crate) fn draw_both(&self, below: &Lines) -> Option<String> {
        let mut svg = open(HEIGHT * 2.0);
        self.draw_at(&mut svg, 0.0)?;
        below.draw_at(&mut svg, HEIGHT)?;
        Some(svg + "</svg>\n")
    }

    fn draw_at(&self, svg: &mut String, top: f64) -> Option<()> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        self.series.iter().find(|series| series.points.len() > 1)?;
        // Room for the names.
        let ends_left = |leftwards| self.series.iter().any(|it| it.ends_left() == leftwards);
        let from = if ends_left(true) { LEFT + NAME } else { LEFT };
        let right = WIDTH - if ends_left(false) { RIGHT } else { NAME_ASIDE };
        let mut x = Scale::over(points().map(|point| point.0), self.x.log, from, right)?;
        if ends_left(true) {
            x.widen();
        }
        let floor = top + HEIGHT - BOTTOM;
        let mut y = Scale::over(points().map(|point| point.1), self.y.log, floor, top + TOP)?;
        y.widen();
        text(svg, LEFT, top + 22.0, "title", "start", &self.title);
        for (value, label) in y.ticks(&self.y.ticks) {
            let at = y.place(value);
            line(svg, (LEFT, at), (right, at), GRID);
            text(svg, LEFT - 8.0, at + 4.0, "faint", "end", &label);
        }
        for (value, label) in x.ticks(&self.x.ticks) {
            let at = x.place(value);
            line(svg, (at, floor), (at, floor + 5.0), GRID);
            text(svg, at, floor + 19.0, "faint", "middle", &label);
        }
        text(svg, (LEFT + right) / 2.0, floor + 40.0, "", "middle", &self.x.label);
        text(svg, LEFT, top + 36.0, "faint", "start", &self.y.label);
        let mut series: Vec<&Series> = self.series.iter().collect();
        series.sort_by(|one, other| other.last().total_cmp(&one.last()));
        series.iter().for_each(|series| series.draw(svg, &x, &y));
        name_ends(svg, &series, &x, &y);
        Some(())
    }
}

/// Each name behind the end of its line and joined to it, as near as what is there leaves room.
fn name_ends(svg: &mut String, series: &[&Series], x: &Scale, y: &Scale) {
    let place = |point: &(f64, f64)| (x.place(point.0), y.place(point.1));
    // From where to where in its row: points of the lines, and names.
    let mut taken: Vec<(f64, f64, f64)> = Vec::new();
    for (from, to) in series.iter().flat_map(|it| it.points.iter().zip(it.points.iter().skip(1))) {
        let ((x1, y1), (x2, y2)) = (place(from), place(to));
        let steps = (0..=40).map(|step| f64::from(step) / 40.0);
        taken.extend(steps.map(|s| (x1 + s * (x2 - x1), x1 + s * (x2 - x1), y1 + s * (y2 - y1))));
    }
    for series in series {
        let Some((end, at)) = series.points.last().map(place) else { continue };
        let length = series.name.chars().count() as f64 * LETTER;
        let (left, right, near, anchor) = match series.ends_left() {
            true => (end - NAME_ASIDE - length, end - NAME_ASIDE, end - NAME_ASIDE, "end"),
            false => (end + NAME_ASIDE, end + NAME_ASIDE + length, end + NAME_ASIDE, "start"),
        };
        let is_free = |row: &f64| {
            let beside = |it: &(f64, f64, f64)| right < it.0 || left > it.1;
            let is_within = (y.to..=y.from + ROW).contains(row);
            is_within && taken.iter().all(|it| beside(it) || (row - it.2).abs() >= ROW)
        };
        let rows = (0..80).flat_map(|step| [1.0, -1.0].map(|way| at + way * f64::from(step) * 4.0));
        let row = rows.into_iter().find(is_free).unwrap_or(at);
        taken.push((left, right, row));
        let style = format!("stroke=\"{}\"", color(series.color));
        line(svg, (end, at), (near, row), &style);
        let gap = if anchor == "end" { -3.0 } else { 3.0 };
        text(svg, near + gap, row + 4.0, "", anchor, &series.name);
    }
}

impl Series {
    fn last(&self) -> f64 {
        self.points.last().map_or(0.0, |point| point.1)
    }

    /// Whether its last point is left of the one before.
    fn ends_left(&self) -> bool {
        matches!(self.points[..], [.., before, last] if last.0 < before.0)
    }

    fn draw(&self, svg: &mut String, x: &Scale, y: &Scale) {
        let places = || self.points.iter().map(|point| (x.place(point.0), y.place(point.1)));
        let path: Vec<String> = places().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (color, width) = (color(self.color), if self.bold { 3.5 } else { 1.8 });
        let dash = if self.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        let _infallible = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\"{dash} \
             points=\"{}\"/>",
            path.join(" ")
        );
        if self.points.len() <= 6 {
            for (x, y) in places() {
                let _infallible =
                    writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>");
            }
        }
    }
}

/// Horizontal bars, each stacked of its parts, on one linear scale. `None` for fewer than two.
pub(crate) fn stacked(title: &str, label: &str, bars: &[Bar]) -> Option<String> {
    let total = |bar: &Bar| bar.parts.iter().map(|part| part.1).sum::<f64>();
    let most = bars.iter().map(total).fold(0.0, f64::max);
    if most <= 0.0 || bars.len() < 2 {
        return None;
    }
    let (left, row) = (150.0, 26.0);
    let floor = TOP + 10.0 + bars.len() as f64 * row;
    let scale = Scale { low: 0.0, high: most * 1.05, from: left, to: WIDTH - RIGHT, log: false };
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in bars.iter().flat_map(|bar| &bar.parts) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let mut svg = open((floor + BOTTOM).max(TOP + 30.0 + names.len() as f64 * 20.0));
    text(&mut svg, 10.0, 22.0, "title", "start", title);
    for (value, label) in scale.ticks(&[]) {
        let at = scale.place(value);
        line(&mut svg, (at, TOP), (at, floor), GRID);
        text(&mut svg, at, floor + 16.0, "faint", "middle", &label);
    }
    text(&mut svg, (left + WIDTH - RIGHT) / 2.0, floor + 38.0, "", "middle", label);
    for (place, bar) in bars.iter().enumerate() {
        let y = TOP + 8.0 + place as f64 * row;
        text(&mut svg, left - 8.0, y + 13.0, "", "end", &bar.name);
        let mut sum = 0.0;
        for (name, value) in &bar.parts {
            let (from, to) = (scale.place(sum), scale.place(sum + value));
            sum += value;
            let kind = names.iter().position(|other| other == name).unwrap_or(0);
            rect(&mut svg, (from, y), (to - from, 18.0), kind);
        }
        text(&mut svg, scale.place(sum) + 5.0, y + 13.0, "faint", "start", &short(sum));
    }
    for (kind, name) in names.iter().enumerate() {
        let y = TOP + 4.0 + kind as f64 * 20.0;
        rect(&mut svg, (WIDTH - RIGHT + 40.0, y), (12.0, 12.0), kind);
        text(&mut svg, WIDTH - RIGHT + 58.0, y + 11.0, "", "start", name);
    }
    Some(svg + "</svg>\n")
}

impl Scale {
    fn over(values: impl Iterator<Item = f64>, log: bool, from: f64, to: f64) -> Option<Scale> {
        let usable = values.filter(|value| value.is_finite() && (!log || *value > 0.0));
        let (low, high) = usable.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let low = if log { low } else { low.min(0.0) };
        let high = if high > low { high } else { low + low.abs().max(1.0) };
        low.is_finite().then_some(Scale { low, high, from, to, log })
    }

    /// Room above, and on a logarithmic scale below.
    fn widen(&mut self) {
        if self.log {
            (self.low, self.high) = (self.low / 1.25, self.high * 1.25);
        } else {
            self.high *= 1.06;
        }
    }

    fn place(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    fn ticks(&self, given: &[(f64, String)]) -> Vec<(f64, String)> {
        let inside = |value: &f64| *value >= self.low * 0.999 && *value <= self.high * 1.001;
        if !given.is_empty() {
            return given.iter().filter(|tick| inside(&tick.0)).cloned().collect();
        }
        let values: Vec<f64> = if self.log {
            let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
            let steps: &[f64] =
                if self.high / self.low > 1000.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
            decades.flat_map(|decade| steps.iter().map(move |s| s * 10_f64.powi(decade))).collect()
        } else {
            let step = nice((self.high - self.low) / 5.0);
            (0..=8).map(|n| (self.low / step).ceil() * step + f64::from(n) * step).collect()
        };
        values.into_iter().filter(inside).map(|value| (value, short(value))).collect()
    }
}

/// 1, 2 or 5 times a power of ten, at least `step`.
fn nice(step: f64) -> f64 {
    let decade = 10_f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| times * decade >= step * 0.999);
    times.unwrap_or(10.0) * decade
}

/// Three digits that say something.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{:.1}M", value / 1e6),
        size if size >= 1e4 => format!("{:.0}k", value / 1e3),
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn open(height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\">\n<style>{STYLE}</style>\n"
    )
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _infallible = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), style: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _infallible = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {style}/>"
    );
}

fn rect(svg: &mut String, at: (f64, f64), size: (f64, f64), kind: usize) {
    let ((x, y), (width, height), color) = (at, size, color(kind));
    let _infallible = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{color}\"/>"
    );
}

fn color(kind: usize) -> &'static str {
    COLORS[kind % COLORS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, points: &[(f64, f64)]) -> Series {
        let (name, points) = (name.into(), points.to_vec());
        Series { name, color: 0, bold: true, dashed: false, points }
    }

    #[test]
    fn a_chart_shows_every_series_and_escapes_names() {
        let lines = Lines {
            title: "a < b & c".into(),
            series: vec![series("one", &[(1.0, 2.0), (2.0, 3.0)]), series("two", &[(1.0, 5.0)])],
            ..Lines::default()
        };
        let svg = lines.draw().expect("something to draw");
        assert!(svg.contains("a &lt; b &amp; c") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains("prefers-color-scheme:dark"));
    }

    #[test]
    fn names_at_the_ends_of_lines_cover_neither_each_other_nor_a_line() {
        // Near the top, where there is no room for all of them above.
        let ends = [("one", 5.0), ("two", 5.0), ("three", 5.1), ("four", 5.0), ("five", 5.0)];
        let within = TOP..=HEIGHT - BOTTOM;
        for (from, to, anchor) in [(9.0, 1.0, "end"), (1.0, 9.0, "start")] {
            let series = ends.map(|(name, at)| series(name, &[(from, at), (to, at)])).into();
            let svg = Lines { series, ..Lines::default() }.draw().expect("something to draw");
            let row = |name: &str| -> f64 {
                let line = svg.lines().find(|line| line.ends_with(&format!(">{name}</text>")));
                let y = line.expect("its name").split("y=\"").nth(1).expect("its place");
                y.split('"').next().expect("a number").parse().expect("a number")
            };
            let mut rows = ends.map(|(name, _)| row(name));
            rows.sort_by(f64::total_cmp);
            assert!(rows.windows(2).all(|two| two[1] - two[0] >= ROW), "{rows:?}");
            assert!(rows.iter().all(|row| within.contains(&(row - 4.0))), "{rows:?}");
            let told = format!("text-anchor=\"{anchor}\">one<");
            assert_eq!(svg.matches(&told).count(), 1);
        }
    }

    #[test]
    fn nothing_to_draw_is_no_chart() {
        assert_eq!(Lines::default().draw(), None);
        let points = vec![series("one", &[(1.0, 2.0)]), series("two", &[(1.0, 5.0)])];
        assert_eq!(Lines { series: points, ..Lines::default() }.draw(), None);
        assert_eq!(stacked("", "", &[]), None);
    }

    #[test]
    fn places_run_from_one_end_to_the_other() {
        let scale = Scale { low: 1.0, high: 100.0, from: 0.0, to: 50.0, log: true };
        assert!((scale.place(10.0) - 25.0).abs() < 1e-9);
        assert!((scale.place(0.0)).abs() < 1e-9);
        let labels: Vec<String> = scale.ticks(&[]).into_iter().map(|tick| tick.1).collect();
        assert_eq!(labels, ["1", "2", "5", "10", "20", "50", "100"]);
    }

    #[test]
    fn a_bar_is_as_long_as_its_parts() {
        let parts = vec![("sendto".to_owned(), 1.0), ("epoll_wait".to_owned(), 0.5)];
        let bars = ["ours", "go"].map(|name| Bar { name: name.into(), parts: parts.clone() });
        let svg = stacked("", "", &bars).expect("two bars");
        assert!(svg.contains(">1.50</text>") && svg.contains("sendto"));
    }
}
