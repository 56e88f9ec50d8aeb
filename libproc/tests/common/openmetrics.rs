//! A strict reader of OpenMetrics text, after the specification of version 1.0.
#![allow(unreachable_pub, reason = "tests include this file")]

use std::collections::{BTreeMap, BTreeSet};

/// A sample: its labels as they were written, and its value.
pub type Samples = BTreeMap<(String, String), f64>;

/// The samples of a page by name and labels.
///
/// # Errors
/// The first line that the specification forbids, and why.
pub fn read(page: &str) -> Result<Samples, String> {
    let lines = page
        .strip_suffix("# EOF\n")
        .ok_or("it does not end in `# EOF`")?;
    let mut reader = Reader::default();
    for line in lines.lines() {
        reader.line(line).map_err(|why| format!("{why}: {line}"))?;
    }
    reader.end_family()?;
    Ok(reader.samples)
}

#[derive(Default)]
struct Reader {
    samples: Samples,
    /// Names that families before this one have taken.
    taken: BTreeSet<String>,
    family: String,
    of: Option<String>,
    unit: Option<String>,
    help: bool,
    sampled: bool,
    /// Label sets of this family, without quantiles, whose samples have ended.
    ended: BTreeSet<String>,
    group: Option<String>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        match line.strip_prefix("# ") {
            Some(line) => self.metadata(line),
            None if line.is_empty() || line.starts_with('#') => {
                Err("neither sample nor metadata".into())
            }
            None => self.sample(line),
        }
    }

    fn metadata(&mut self, line: &str) -> Result<(), String> {
        let mut words = line.splitn(3, ' ');
        let mut next = || words.next().ok_or("a part is missing");
        let (what, name, value) = (next()?, next()?, next()?);
        if !is_name(name, true) {
            return Err("not a name".into());
        }
        if name != self.family {
            self.end_family()?;
            *self = Reader {
                samples: std::mem::take(&mut self.samples),
                taken: std::mem::take(&mut self.taken),
                family: name.to_owned(),
                ..Reader::default()
            };
        }
        if self.sampled {
            return Err("metadata behind samples".into());
        }
        let again = match what {
            "TYPE" => self.of.replace(value.to_owned()).is_some(),
            "UNIT" => self.unit.replace(value.to_owned()).is_some(),
            "HELP" => {
                let plain = value
                    .replace("\\\\", "")
                    .replace("\\n", "")
                    .replace("\\\"", "");
                if plain.contains('\\') || value.is_empty() {
                    return Err("a help text that is not escaped".into());
                }
                std::mem::replace(&mut self.help, true)
            }
            _ => return Err("unknown metadata".into()),
        };
        if again {
            Err("said twice".into())
        } else {
            Ok(())
        }
    }

    fn endings(&self) -> Result<&'static [&'static str], String> {
        match self.of.as_deref() {
            Some("counter") => Ok(&["_total", "_created"]),
            Some("gauge") => Ok(&[""]),
            Some("summary") => Ok(&["", "_count", "_sum", "_created"]),
            other => Err(format!("a type that we never write: {other:?}")),
        }
    }

    fn sample(&mut self, line: &str) -> Result<(), String> {
        self.sampled = true;
        let end = line.find(['{', ' ']).ok_or("no value")?;
        let (name, rest) = line.split_at(end);
        let ending = name.strip_prefix(self.family.as_str());
        let ending = ending
            .filter(|_| is_name(name, true))
            .ok_or("of another family")?;
        if !self.endings()?.contains(&ending) {
            return Err("an ending that this type does not have".into());
        }
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (Vec::new(), rest),
        };
        let value = value.strip_prefix(' ').ok_or("no blank before the value")?;
        let number: f64 = match value {
            "+Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            "NaN" => f64::NAN,
            digits
                if digits.contains(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+' | 'e')) =>
            {
                return Err("not a number".into());
            }
            digits => digits.parse().map_err(|_| "not a number")?,
        };
        let quantile = labels.iter().find(|(name, _)| name == "quantile");
        let of_summary = self.of.as_deref() == Some("summary");
        if quantile.is_some() != (of_summary && ending.is_empty()) {
            return Err("a quantile belongs to the values of a summary".into());
        }
        if quantile
            .is_some_and(|(_, part)| !part.parse().is_ok_and(|part| (0.0..=1.0).contains(&part)))
        {
            return Err("a quantile lies between 0 and 1".into());
        }
        if (!ending.is_empty() || of_summary) && (number.is_nan() || number < 0.0) {
            return Err("counts and sums are not negative".into());
        }
        let rest = labels.iter().filter(|(name, _)| name != "quantile");
        self.group(format!("{:?}", rest.collect::<BTreeSet<_>>()))?;
        let key = (name.to_owned(), format!("{labels:?}"));
        match self.samples.insert(key, number) {
            Some(_) => Err("a sample of that name and labels was there before".into()),
            None => Ok(()),
        }
    }

    /// Samples with the same labels stand together.
    fn group(&mut self, group: String) -> Result<(), String> {
        if self.group.as_ref() == Some(&group) {
            return Ok(());
        }
        if self.ended.contains(&group) {
            return Err("samples of one metric stand apart".into());
        }
        self.ended.extend(self.group.replace(group));
        Ok(())
    }

    fn end_family(&mut self) -> Result<(), String> {
        if self.family.is_empty() {
            return Ok(());
        }
        let family = &self.family;
        if let Some(unit) = self
            .unit
            .as_ref()
            .filter(|unit| !family.ends_with(&format!("_{unit}")))
        {
            return Err(format!("{family} does not end in its unit {unit}"));
        }
        for ending in self.endings()?.iter().chain(&[""]).collect::<BTreeSet<_>>() {
            if !self.taken.insert(format!("{family}{ending}")) {
                return Err(format!("two families have the name {family}{ending}"));
            }
        }
        Ok(())
    }
}

fn is_name(text: &str, colons: bool) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    !text.is_empty() && text.chars().all(plain) && !text.starts_with(|c: char| c.is_ascii_digit())
}

type Labels = Vec<(String, String)>;

/// Reads labels up to the closing brace; gives what comes behind it.
fn labels(mut rest: &str) -> Result<(Labels, &str), String> {
    let mut labels = Labels::new();
    loop {
        let (name, behind) = rest.split_once("=\"").ok_or("a label without a value")?;
        if !is_name(name, false) || labels.iter().any(|(other, _)| other == name) {
            return Err(format!("not a label, or twice: {name}"));
        }
        let (mut value, mut escaped, mut end) = (String::new(), false, None);
        for (index, c) in behind.char_indices() {
            match (escaped, c) {
                (true, 'n') => value.push('\n'),
                (true, '"' | '\\') => value.push(c),
                (true, _) => return Err("an unknown escape".into()),
                (false, '"') => {
                    end = Some(index);
                    break;
                }
                (false, '\\') => {}
                (false, c) => value.push(c),
            }
            escaped = !escaped && c == '\\';
        }
        labels.push((name.to_owned(), value));
        rest = &behind[end.ok_or("a value without an end")? + 1..];
        match rest.split_at_checked(1) {
            Some((",", behind)) => rest = behind,
            Some(("}", behind)) => return Ok((labels, behind)),
            _ => return Err("neither another label nor the end".into()),
        }
    }
}
