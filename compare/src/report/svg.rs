//! Line charts as SVG: one file for light and for dark ground. Knows no peers.

mod scale;

use scale::Scale;
pub(crate) use scale::short;

const WIDTH: f64 = 850.0;
/// Of a chart; more names than fit make it higher.
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 66.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 52.0;

/// From the plot to the names, from one name to the next, and the width of a letter.
const ASIDE: f64 = 34.0;
const ROW: f64 = 14.0;
const LETTER: f64 = 6.8;

/// Points up to which each has a dot.
const DOTS: usize = 6;

/// On white and on black, each with a contrast of 4.5 at least, since names are written in them.
#[rustfmt::skip]
pub(super) const COLORS: [(&str, &str); 16] = [
    ("#cf222e", "#ff7b72"), ("#b35900", "#ffa657"), ("#8b1a4a", "#f778ba"), ("#6a737d", "#9ea7b3"),
    ("#7d4e1e", "#d4a373"), ("#0969da", "#58a6ff"), ("#3f3fae", "#9aa5ff"), ("#24292f", "#e6edf3"),
    ("#0f7b7b", "#39c5cf"), ("#8a6a00", "#e3b341"), ("#8250df", "#bc8cff"), ("#1a7f37", "#4ac26b"),
    ("#33566f", "#8fb3cf"), ("#bf3989", "#ff9bce"), ("#7a5195", "#c9a0ff"), ("#a4133c", "#ff8fab"),
];

const STYLE: [&str; 2] = [
    "text{font:12px system-ui,sans-serif;fill:#333}.title{font-size:15px;font-weight:600}\
     .faint{fill:#666}.name{fill:currentColor}.grid{stroke:#8884}.ground{fill:#fff}\
     polyline{fill:none;stroke:currentColor;stroke-linecap:round}circle{fill:currentColor}\
     .to-name{stroke:currentColor;stroke-opacity:.5}",
    "text{fill:#ddd}.faint{fill:#aaa}.ground{fill:#0d1117}",
];

#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Place in the palette: the same in all charts.
    pub(crate) color: usize,
    pub(crate) stroke: Stroke,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A width, and the dashes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stroke(f64, &'static str);

pub(crate) const THICK: Stroke = Stroke(4.0, "none");
pub(crate) const THIN: Stroke = Stroke(1.6, "none");
pub(crate) const DASHED: Stroke = Stroke(1.6, "7 5");
pub(crate) const DOTTED: Stroke = Stroke(2.4, "0 5");

#[derive(Clone, Debug, Default)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) log: bool,
    /// Where there are marks; none: chosen.
    pub(crate) ticks: &'static [(f64, &'static str)],
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    pub(crate) title: String,
    /// What the strokes mean, where they mean anything.
    pub(crate) note: &'static str,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
}

/// One above the other, without those that have no line. `None` when there is none at all.
pub(crate) fn draw(charts: &[Lines]) -> Option<String> {
    let (mut body, mut height) = (String::new(), 0.0);
    for chart in charts {
        height = chart.draw_at(&mut body, height).unwrap_or(height);
    }
    let colors = |pick: fn(&(&'static str, &'static str)) -> &'static str| -> String {
        let rules = COLORS.iter().map(pick).enumerate();
        rules.map(|(kind, color)| format!(".c{kind}{{color:{color}}}")).collect()
    };
    let [light, dark] = STYLE;
    let (on_light, on_dark) = (colors(|it| it.0), colors(|it| it.1));
    (height > 0.0).then(|| {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             width=\"{WIDTH}\" height=\"{height}\">\n<style>{light}{on_light}\
             @media(prefers-color-scheme:dark){{{dark}{on_dark}}}</style>\n\
             <rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n"
        )
    })
}

impl Lines {
    /// `None` when there is nothing to draw, or one point of each only.
    pub(crate) fn draw(self) -> Option<String> {
        draw(&[self])
    }

    /// Returns where it ends.
    fn draw_at(&self, svg: &mut String, top: f64) -> Option<f64> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        self.series.iter().find(|series| series.points.len() > 1)?;
        let letters = self.series.iter().map(|series| series.name.chars().count()).max()?;
        let right = WIDTH - ASIDE - letters as f64 * LETTER - 6.0;
        let height = HEIGHT.max(TOP + BOTTOM + self.series.len() as f64 * ROW);
        let floor = top + height - BOTTOM;
        let x = Scale::over(points().map(|point| point.0), self.x.log, LEFT, right)?;
        let y = Scale::over(points().map(|point| point.1), self.y.log, floor, top + TOP)?;
        text(svg, (LEFT, top + 20.0), "title", "start", &self.title);
        text(svg, (LEFT, top + 36.0), "faint", "start", &self.y.label);
        text(svg, (WIDTH - 8.0, top + height - 12.0), "faint", "end", self.note);
        for (value, label) in y.ticks(self.y.ticks) {
            let at = y.place(value);
            line(svg, (LEFT, at), (right, at), "grid");
            text(svg, (LEFT - 8.0, at + 4.0), "faint", "end", &label);
        }
        for (value, label) in x.ticks(self.x.ticks) {
            let at = x.place(value);
            line(svg, (at, floor), (at, floor + 5.0), "grid");
            text(svg, (at, floor + 19.0), "faint", "middle", &label);
        }
        text(svg, (LEFT, floor + 40.0), "", "start", &self.x.label);
        self.series.iter().for_each(|series| series.draw(svg, &x, &y));
        let ends = self.series.iter().filter_map(|it| {
            let (end, at) = it.rightmost()?;
            Some(((x.place(end), y.place(at)), it))
        });
        names(svg, ends.collect(), right + ASIDE, (top + TOP, floor));
        Some(top + height)
    }
}

/// In a column of their own, each joined to the right end of its line and as near to it as all the
/// others leave room: neither a name nor a line is covered.
fn names(svg: &mut String, mut ends: Vec<((f64, f64), &Series)>, x: f64, (top, floor): (f64, f64)) {
    ends.sort_by(|((_, one), _), ((_, other), _)| one.total_cmp(other));
    // Names next to each other that crowd, with the mean of where their first one would be.
    let mut crowds: Vec<(f64, f64)> = Vec::new();
    for (place, ((_, at), _)) in ends.iter().enumerate() {
        crowds.push((at - place as f64 * ROW, 1.0));
        while let [.., (above, many), (below, few)] = crowds[..]
            && above > below
        {
            crowds.truncate(crowds.len() - 2);
            crowds.push(((above * many + below * few) / (many + few), many + few));
        }
    }
    let lowest = floor - (ends.len() as f64 - 1.0) * ROW;
    let firsts = crowds.iter().flat_map(|(first, n)| std::iter::repeat_n(*first, *n as usize));
    for (place, (first, (end, series))) in firsts.zip(ends).enumerate() {
        let row = first.min(lowest).max(top) + place as f64 * ROW;
        let color = series.class();
        line(svg, end, (x - 4.0, row), &format!("to-name {color}"));
        text(svg, (x, row + 4.0), &format!("name {color}"), "start", &series.name);
    }
}

impl Series {
    fn class(&self) -> String {
        format!("c{}", self.color % COLORS.len())
    }

    /// The first or the last point.
    fn rightmost(&self) -> Option<(f64, f64)> {
        let (first, last) = (*self.points.first()?, *self.points.last()?);
        Some(if first.0 > last.0 { first } else { last })
    }

    fn draw(&self, svg: &mut String, x: &Scale, y: &Scale) {
        let places = || self.points.iter().map(|point| (x.place(point.0), y.place(point.1)));
        let path: Vec<String> = places().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (color, path) = (self.class(), path.join(" "));
        let Stroke(width, dashes) = self.stroke;
        *svg += &format!(
            "<polyline class=\"{color}\" stroke-width=\"{width}\" stroke-dasharray=\"{dashes}\" \
             points=\"{path}\"/>\n"
        );
        for (x, y) in places().filter(|_| self.points.len() <= DOTS) {
            *svg += &format!("<circle class=\"{color}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>\n");
        }
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), class: &str, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    *svg += &format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\" text-anchor=\"{anchor}\">{words}</text>\n"
    );
}

fn line(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
    *svg += &format!(
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"{class}\"/>\n"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, points: &[(f64, f64)]) -> Series {
        let (name, points) = (name.into(), points.to_vec());
        Series { name, color: 0, stroke: THICK, points }
    }

    fn chart(series: Vec<Series>) -> Option<String> {
        Lines { title: "a < b & c".into(), series, ..Lines::default() }.draw()
    }

    #[test]
    fn a_chart_shows_every_series_and_escapes_names() {
        let series = vec![series("one", &[(1.0, 2.0), (2.0, 3.0)]), series("two", &[(1.0, 5.0)])];
        let svg = chart(series).expect("something to draw");
        assert!(svg.contains("a &lt; b &amp; c") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<polyline").count(), 2);
    }

    /// The number of an attribute.
    fn number(element: &str, attribute: &str) -> f64 {
        let value = element.split(&format!(" {attribute}=\"")).nth(1).expect("it is there");
        value.split('"').next().expect("an end").parse().expect("a number")
    }

    #[test]
    fn names_of_many_lines_that_end_together_cover_neither_each_other_nor_a_point() {
        for (names, from, to) in [(6, 1.0, 9.0), (20, 1.0, 9.0), (20, 9.0, 1.0), (40, 1.0, 9.0)] {
            let all = (0..names).map(|n| {
                let end = if n % 3 == 0 { 100.0 } else { 1.0 + f64::from(n) / 10.0 };
                series(&format!("name-{n}"), &[(from, end), (to, end)])
            });
            let svg = chart(all.collect()).expect("something to draw");
            let of = |what: &str| -> Vec<&str> {
                svg.lines().filter(|line| line.contains(what)).collect()
            };
            let mut rows: Vec<f64> = of("class=\"name").iter().map(|it| number(it, "y")).collect();
            rows.sort_by(f64::total_cmp);
            assert_eq!(rows.len(), names as usize);
            assert!(rows.windows(2).all(|two| two[1] - two[0] > ROW - 0.2), "{rows:?}");
            let bottom = number(&svg, "height") - BOTTOM;
            assert!(rows.iter().all(|row| (TOP..=bottom + 4.1).contains(row)), "{rows:?}");
            let points = of("<circle").iter().map(|it| number(it, "cx")).fold(0.0, f64::max);
            assert!(of("class=\"name").iter().all(|it| number(it, "x") > points + 3.0));
        }
    }

    /// What WCAG 2 calls relative luminance.
    fn luminance(color: &str) -> f64 {
        let of = |at: usize, weight: f64| {
            let part = u8::from_str_radix(&color[at..at + 2], 16).expect("hexadecimal");
            let part = f64::from(part) / 255.0;
            let line =
                if part <= 0.03928 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) };
            weight * line
        };
        of(1, 0.2126) + of(3, 0.7152) + of(5, 0.0722)
    }

    #[test]
    fn names_can_be_read_on_light_and_on_dark_ground() {
        let contrast = |color: &str, ground: &str| {
            let (one, other) = (luminance(color) + 0.05, luminance(ground) + 0.05);
            (one / other).max(other / one)
        };
        for (on_light, on_dark) in COLORS {
            assert!(contrast(on_light, "#ffffff") >= 4.5, "{on_light}");
            assert!(contrast(on_dark, "#0d1117") >= 4.5, "{on_dark}");
        }
        let svg = chart(vec![series("one", &[(1.0, 2.0), (2.0, 3.0)])]).expect("a line");
        let (light, dark) = svg.split_once("prefers-color-scheme:dark").expect("both");
        assert!(light.contains(".ground{fill:#fff}") && light.contains(".c0{color:#cf222e}"));
        assert!(dark.contains(".ground{fill:#0d1117}") && dark.contains(".c0{color:#ff7b72}"));
    }

    #[test]
    fn nothing_to_draw_is_no_chart() {
        assert_eq!(chart(Vec::new()), None);
        let points = vec![series("one", &[(1.0, 2.0)]), series("two", &[(1.0, 5.0)])];
        assert_eq!(chart(points), None);
    }
}
