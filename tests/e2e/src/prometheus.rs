//! Prometheus' [text format], read as strictly as it is written down, and by the rules of a good citizen on top: every
//! family has a HELP and a TYPE before its samples, counters are whole numbers, buckets add up.
//!
//! [text format]: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format

use std::collections::{BTreeMap, BTreeSet};

/// A page of metrics.
#[derive(Debug, Default)]
pub struct Page(BTreeMap<String, Family>);

#[derive(Debug)]
struct Family {
    kind: String,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    /// What is wrong, and in which line.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.is_empty() && !text.ends_with('\n') {
            return Err("the last line has no end".to_owned());
        }
        let mut page = Self::default();
        let mut helped: Option<&str> = None;
        let mut current: Option<String> = None;
        for line in text.lines() {
            let wrong = |why: &str| format!("{why}: {line:?}");
            if line.is_empty() {
                continue;
            }
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').ok_or_else(|| wrong("no help"))?;
                if !is_name(name) || help.trim().is_empty() || unescaped(help, false).is_none() {
                    return Err(wrong("a bad HELP"));
                }
                helped = Some(name);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').ok_or_else(|| wrong("no type"))?;
                if helped.take() != Some(name) {
                    return Err(wrong("no HELP right before its TYPE"));
                }
                if !["counter", "gauge", "histogram", "summary", "untyped"].contains(&kind) {
                    return Err(wrong("no such type"));
                }
                let family = Family { kind: kind.to_owned(), samples: Vec::new() };
                if page.0.insert(name.to_owned(), family).is_some() {
                    return Err(wrong("a second TYPE"));
                }
                current = Some(name.to_owned());
            } else if line.starts_with('#') {
                return Err(wrong("a comment, where there is nothing to comment"));
            } else {
                let sample = sample(line).ok_or_else(|| wrong("no sample"))?;
                let name = current.as_ref().ok_or_else(|| wrong("no TYPE before it"))?;
                let family = page.0.get_mut(name).ok_or_else(|| wrong("no TYPE before it"))?;
                let suffixes: &[&str] = match &*family.kind {
                    "histogram" => &["_bucket", "_sum", "_count"],
                    _ => &[""],
                };
                let rest = sample.name.strip_prefix(&**name).ok_or_else(|| wrong("amid another family"))?;
                if !suffixes.contains(&rest) || (rest == "_bucket") != sample.labels.contains_key("le") {
                    return Err(wrong("no sample of its family"));
                }
                if family
                    .samples
                    .iter()
                    .any(|other| other.name == sample.name && other.labels == sample.labels)
                {
                    return Err(wrong("a second time"));
                }
                family.samples.push(sample);
            }
        }
        for (name, family) in &page.0 {
            family.check().map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(page)
    }

    /// The value of the sample with exactly these labels.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let found = self.samples().find(|sample| {
            sample.name == name
                && sample.labels.len() == labels.len()
                && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|is| is == value))
        });
        found.map(|sample| sample.value)
    }

    /// The names of all families.
    pub fn families(&self) -> BTreeSet<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Every series by its name and labels.
    pub fn series(&self) -> BTreeSet<String> {
        self.samples().map(|sample| format!("{}{:?}", sample.name, sample.labels)).collect()
    }

    /// Every label of every sample.
    pub fn labels(&self) -> BTreeSet<(&str, &str)> {
        self.samples().flat_map(|sample| &sample.labels).map(|(name, value)| (&**name, &**value)).collect()
    }

    fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.0.values().flat_map(|family| &family.samples)
    }
}

impl Family {
    fn check(&self) -> Result<(), String> {
        if self.samples.is_empty() {
            return Err("it has no samples".to_owned());
        }
        match &*self.kind {
            "counter"
                if self.samples.iter().any(|sample| sample.value < 0.0 || sample.value.fract() != 0.0) =>
            {
                Err("a counter that counts no things".to_owned())
            }
            "histogram" => self.check_histogram(),
            _ => Ok(()),
        }
    }

    fn check_histogram(&self) -> Result<(), String> {
        let mut by_labels: BTreeMap<Vec<(&str, &str)>, Vec<&Sample>> = BTreeMap::new();
        for sample in &self.samples {
            let labels = sample.labels.iter().filter(|(name, _)| *name != "le");
            let labels = labels.map(|(name, value)| (&**name, &**value)).collect();
            by_labels.entry(labels).or_default().push(sample);
        }
        for (labels, samples) in by_labels {
            let of = |suffix: &str| {
                samples.iter().filter(|sample| sample.name.ends_with(suffix)).collect::<Vec<_>>()
            };
            let (buckets, sums, counts) = (of("_bucket"), of("_sum"), of("_count"));
            let [count] = counts[..] else { return Err(format!("no count of {labels:?}")) };
            if sums.len() != 1 {
                return Err(format!("no sum of {labels:?}"));
            }
            let bound = |sample: &Sample| sample.labels.get("le").and_then(|le| number(le));
            let bounds: Vec<f64> = buckets.iter().filter_map(|bucket| bound(bucket)).collect();
            if bounds.len() != buckets.len() || !bounds.is_sorted_by(|a, b| a < b) {
                return Err(format!("bounds {bounds:?} of {labels:?} do not rise"));
            }
            if !buckets.iter().is_sorted_by_key(|bucket| bucket.value) {
                return Err(format!("the buckets of {labels:?} do not add up"));
            }
            let last = buckets.last().filter(|last| bound(last) == Some(f64::INFINITY));
            if last.is_none_or(|last| last.value != count.value) {
                return Err(format!("the last bucket of {labels:?} does not hold all"));
            }
        }
        Ok(())
    }
}

/// `name{label="value",...} value`, without a time stamp: a page of what is now has none.
fn sample(line: &str) -> Option<Sample> {
    let name: String = line.chars().take_while(|c| !matches!(c, '{' | ' ')).collect();
    let mut rest = &line[name.len()..];
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"")?;
            let end = end_of_value(after)?;
            let value = unescaped(&after[..end], true)?;
            if !is_name(label) || label.contains(':') || labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = &after[end + 1..];
            if let Some(more) = rest.strip_prefix(',') {
                rest = more;
            } else if !rest.starts_with('}') {
                return None;
            }
        }
        rest = &rest[1..];
    }
    let value = number(rest.strip_prefix(' ')?)?;
    is_name(&name).then_some(Sample { name, labels, value })
}

/// Where the quote is that ends a label's value.
fn end_of_value(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

fn unescaped(text: &str, quotes: bool) -> Option<String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                'n' => plain.push('\n'),
                '\\' => plain.push('\\'),
                '"' if quotes => plain.push('"'),
                _ => return None,
            },
            c => plain.push(c),
        }
    }
    Some(plain)
}

fn is_name(name: &str) -> bool {
    let starts = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    name.starts_with(starts) && name.chars().all(|c| starts(c) || c.is_ascii_digit())
}

/// As Go's `strconv.ParseFloat` has it, of which a page needs no more than this.
fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        text if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_total What \\\\ it counts\\nand more\n# TYPE a_total counter\na_total{x=\"1\"} 3\n\
        a_total{x=\"a\\\\b\\\"c\\n,}\",y=\"\"} 4\n\n# HELP b_seconds How long\n# TYPE b_seconds histogram\n\
        b_seconds_bucket{le=\"0.5\"} 1\nb_seconds_bucket{le=\"+Inf\"} 2\nb_seconds_sum 1.5\nb_seconds_count 2\n\
        # HELP c Level\n# TYPE c gauge\nc -1e-3\n";

    #[test]
    fn a_good_page_is_read() {
        let page = Page::parse(GOOD).expect("a good page");
        assert_eq!(page.value("a_total", &[("x", "1")]), Some(3.0));
        assert_eq!(page.value("a_total", &[("y", ""), ("x", "a\\b\"c\n,}")]), Some(4.0));
        assert_eq!(page.value("a_total", &[]), None);
        assert_eq!(page.value("c", &[]), Some(-0.001));
        assert_eq!(page.families(), BTreeSet::from(["a_total", "b_seconds", "c"]));
        assert_eq!(page.series().len(), 7);
        assert!(Page::parse("").expect("no page is a page").series().is_empty());
    }

    #[test]
    fn each_fault_is_found() {
        for (from, to, why) in [
            ("# HELP a_total What \\\\ it counts\\nand more\n", "", "no HELP"),
            ("# TYPE a_total counter\n", "", "no TYPE before it"),
            ("# TYPE c gauge\n", "", "amid another family"),
            ("# HELP c Level\n# TYPE c gauge\n", "", "amid another family"),
            (" gauge", " gouge", "no such type"),
            ("c -1e-3", "d -1e-3", "amid another family"),
            ("c -1e-3", "c", "no sample"),
            ("c -1e-3", "c 1 2", "no sample"),
            ("c -1e-3", "c  1", "no sample"),
            ("c -1e-3\n", "c -1e-3", "no end"),
            ("c -1e-3\n", "", "no samples"),
            ("c -1e-3\n", "c 1\nc 2\n", "a second time"),
            ("x=\"1\"", "1x=\"1\"", "no sample"),
            ("x=\"1\"", "x=1", "no sample"),
            ("x=\"1\"", "x=\"1\"y=\"2\"", "no sample"),
            ("x=\"1\"", "x=\"1\",x=\"2\"", "no sample"),
            ("x=\"1\"", "x=\"\\t\"", "no sample"),
            ("x=\"1\"} 3", "x=\"1\"} 3.5", "counts no things"),
            ("x=\"1\"} 3", "x=\"1\"} -3", "counts no things"),
            ("le=\"0.5\"} 1", "le=\"0.5\"} 3", "do not add up"),
            ("le=\"0.5\"", "le=\"x\"", "do not rise"),
            ("b_seconds_count 2", "b_seconds_count 3", "does not hold all"),
            ("b_seconds_bucket{le=\"+Inf\"} 2\n", "", "does not hold all"),
            ("b_seconds_sum 1.5\n", "", "no sum"),
            ("b_seconds_sum 1.5", "b_seconds 1.5", "no sample of its family"),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            assert_ne!(bad, GOOD, "{from}");
            let error = Page::parse(&bad).expect_err(&bad);
            assert!(error.contains(why), "{from:?} for {to:?}: {error}");
        }
    }
}
