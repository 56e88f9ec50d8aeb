//! Calls with one thing wrong, for tests of every door that takes calls: at each place of a call in
//! turn, something is missing, or there is something else.

use serde_json::{Value, json};

/// A call with one thing wrong, and where.
#[derive(Debug, Clone)]
pub(crate) struct Strange {
    pub(crate) call: Value,
    /// The names on the way to the place, from the outermost.
    pub(crate) place: Vec<String>,
}

impl Strange {
    /// Whether a text names the place, or something it lies in, by its name of today or of before.
    pub(crate) fn is_named_in(&self, text: &str) -> bool {
        let named = |name: &String| {
            let today = name.replace("slave_", "agent_");
            text.contains(name.as_str()) || text.contains(&today)
        };
        // Of what a body lies in, its type says as much.
        let kind = self.call["type"].as_str().unwrap_or("type");
        self.place.iter().any(named) || text.contains(kind) || text.contains("'type'")
    }
}

/// What is put in the place of something.
fn others(there: &Value) -> Vec<Value> {
    let mut others = vec![
        json!(true),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("x".repeat(300)),
        json!("../\u{0}\n"),
        json!([[[]]]),
        json!({"value": {"value": []}}),
        json!([1, "two", null, {}]),
        (0..200).fold(json!(0), |inner, _| json!([inner])),
        (0..200).fold(json!({}), |inner, _| json!({"value": inner})),
    ];
    others.retain(|other| other != there);
    others
}

/// Every call with one thing wrong that can be made of this one.
pub(crate) fn all(call: &Value) -> Vec<Strange> {
    let mut all = Vec::new();
    let mut places = Vec::new();
    find(call, &mut Vec::new(), &mut places);
    for path in places {
        let place = || -> Vec<String> {
            let names = path.iter().filter(|step| step.parse::<usize>().is_err());
            names.cloned().collect()
        };
        let there = at(&mut call.clone(), &path).expect("it was found").clone();
        for other in others(&there) {
            let mut call = call.clone();
            *at(&mut call, &path).expect("it was found") = other;
            all.push(Strange {
                call,
                place: place(),
            });
        }
        let (last, outer) = path.split_last().expect("no place is the call itself");
        let mut call = call.clone();
        if let Some(Value::Object(map)) = at(&mut call, outer) {
            map.remove(last);
            all.push(Strange {
                call,
                place: place(),
            });
        }
    }
    all
}

fn find(value: &Value, path: &mut Vec<String>, places: &mut Vec<Vec<String>>) {
    if !path.is_empty() {
        places.push(path.clone());
    }
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(number, item)| (number.to_string(), item))
                .collect()
        }
        _ => Vec::new(),
    };
    for (step, value) in inner {
        path.push(step);
        find(value, path, places);
        path.pop();
    }
}

fn at<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, step| match value {
        Value::Object(map) => map.get_mut(step),
        Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    })
}
