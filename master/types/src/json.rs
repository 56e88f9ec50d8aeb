//! The JSON of resources: an array of objects, in the form Mesos gives them.

use serde::{Deserialize, Serialize};

use crate::resources::MAX_RESOURCES;
use crate::{DiskInfo, DiskSource, DiskSourceKind, Label, Labels, ParseError, Persistence};
use crate::{Range, Ranges, Reservation, ReservationKind, Resource, ResourceName, Resources};
use crate::{Role, Scalar, Set, Value, Volume, VolumeMode};

/// Reading takes no more than this.
const MAX_JSON_BYTES: usize = 16 << 20;

impl Resources {
    /// Reads resources from a JSON array.
    ///
    /// Fields that are not known are ignored. The older fields `role` and `reservation` are
    /// understood, as well as the list `reservations`.
    ///
    /// # Errors
    ///
    /// Fails when the text is too long, no such array, or tells of impossible resources.
    pub fn from_json(text: &str) -> Result<Resources, ParseError> {
        ParseError::limit(text, MAX_JSON_BYTES)?;
        let list: Vec<JsonResource> =
            serde_json::from_str(text).map_err(|error| ParseError::Json(error.to_string()))?;
        if list.len() > MAX_RESOURCES {
            return Err(ParseError::TooMany { max: MAX_RESOURCES });
        }
        let resources: Result<Vec<_>, _> = list.into_iter().map(Resource::try_from).collect();
        Ok(Resources::try_from(resources?)?)
    }

    /// Returns the JSON array of the resources.
    pub fn to_json(&self) -> serde_json::Value {
        let list = self.0.iter().map(JsonResource::from);
        let list = list.map(|resource| serde_json::to_value(resource).unwrap_or_default());
        serde_json::Value::Array(list.collect())
    }
}

#[derive(Serialize, Deserialize)]
struct JsonResource {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scalar: Option<JsonScalar>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ranges: Option<JsonRanges>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    set: Option<JsonSet>,
    #[serde(default, skip_serializing)]
    role: Option<Role>,
    #[serde(default, skip_serializing)]
    reservation: Option<JsonOldReservation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reservations: Vec<JsonReservation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disk: Option<JsonDisk>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revocable: Option<JsonMark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shared: Option<JsonMark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider_id: Option<JsonId>,
}

#[derive(Serialize, Deserialize)]
struct JsonScalar {
    value: f64,
}

#[derive(Serialize, Deserialize)]
struct JsonRanges {
    #[serde(default)]
    range: Vec<Range>,
}

#[derive(Serialize, Deserialize)]
struct JsonSet {
    #[serde(default)]
    item: Vec<String>,
}

/// An object whose presence is what it says.
#[derive(Serialize, Deserialize)]
struct JsonMark {}

#[derive(Serialize, Deserialize)]
struct JsonId {
    value: String,
}

#[derive(Default, Serialize, Deserialize)]
struct JsonLabels {
    #[serde(default)]
    labels: Vec<Label>,
}

#[derive(Deserialize)]
struct JsonOldReservation {
    principal: Option<String>,
    #[serde(default)]
    labels: JsonLabels,
}

#[derive(Serialize, Deserialize)]
struct JsonReservation {
    #[serde(rename = "type")]
    kind: Option<String>,
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<JsonLabels>,
}

#[derive(Serialize, Deserialize)]
struct JsonDisk {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    persistence: Option<Persistence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    volume: Option<JsonVolume>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<JsonSource>,
}

#[derive(Serialize, Deserialize)]
struct JsonVolume {
    mode: String,
    container_path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host_path: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct JsonSource {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<JsonRoot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mount: Option<JsonRoot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vendor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<JsonLabels>,
}

#[derive(Serialize, Deserialize)]
struct JsonRoot {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<String>,
}

impl TryFrom<JsonResource> for Resource {
    type Error = ParseError;

    fn try_from(json: JsonResource) -> Result<Resource, ParseError> {
        let value = match (json.kind.as_str(), json.scalar, json.ranges, json.set) {
            ("SCALAR", Some(scalar), None, None) => Value::Scalar(Scalar::from_f64(scalar.value)?),
            ("RANGES", None, Some(ranges), None) => Value::Ranges(Ranges::try_from(ranges.range)?),
            ("SET", None, None, Some(set)) => Value::Set(Set::try_from(set.item)?),
            (kind, ..) => {
                return Err(ParseError::expected(
                    "SCALAR, RANGES or SET and its value",
                    kind,
                ));
            }
        };
        let reservations = if json.reservations.is_empty() {
            old_reservation(json.role, json.reservation)?
        } else {
            json.reservations
                .into_iter()
                .map(Reservation::try_from)
                .collect::<Result<_, _>>()?
        };
        Ok(Resource {
            name: ResourceName::new(&json.name)?,
            reservations,
            disk: json.disk.map(DiskInfo::try_from).transpose()?.map(Box::new),
            revocable: json.revocable.is_some(),
            shared: json.shared.is_some(),
            provider: json.provider_id.map(|id| id.value.into()),
            value,
        })
    }
}

/// Before reservations were a list, a role was a static one, and a role beside a `reservation` a
/// dynamic one.
fn old_reservation(
    role: Option<Role>,
    reservation: Option<JsonOldReservation>,
) -> Result<Vec<Reservation>, ParseError> {
    let role = role.filter(|role| !role.is_any());
    Ok(match (role, reservation) {
        (None, None) => Vec::new(),
        (None, Some(_)) => return Err(ParseError::expected("a role to reserve to", "*")),
        (Some(role), None) => vec![Reservation::fixed(role)],
        (Some(role), Some(old)) => vec![Reservation {
            labels: Labels::try_from(old.labels.labels)?,
            ..Reservation::dynamic(role, old.principal)
        }],
    })
}

impl TryFrom<JsonReservation> for Reservation {
    type Error = ParseError;

    fn try_from(json: JsonReservation) -> Result<Reservation, ParseError> {
        let kind = match json.kind.as_deref() {
            Some("STATIC") => ReservationKind::Static,
            Some("DYNAMIC") => ReservationKind::Dynamic,
            other => {
                let found = other.unwrap_or_default();
                return Err(ParseError::expected("STATIC or DYNAMIC", found));
            }
        };
        let labels = Labels::try_from(json.labels.unwrap_or_default().labels)?;
        Ok(Reservation {
            kind,
            role: json.role,
            principal: json.principal,
            labels,
        })
    }
}

impl TryFrom<JsonDisk> for DiskInfo {
    type Error = ParseError;

    fn try_from(json: JsonDisk) -> Result<DiskInfo, ParseError> {
        let volume = json.volume.map(Volume::try_from).transpose()?;
        let source = json.source.map(DiskSource::try_from).transpose()?;
        Ok(DiskInfo {
            persistence: json.persistence,
            volume,
            source,
        })
    }
}

impl TryFrom<JsonVolume> for Volume {
    type Error = ParseError;

    fn try_from(json: JsonVolume) -> Result<Volume, ParseError> {
        let mode = match json.mode.as_str() {
            "RW" => VolumeMode::ReadWrite,
            "RO" => VolumeMode::ReadOnly,
            other => return Err(ParseError::expected("RW or RO", other)),
        };
        Ok(Volume {
            mode,
            container_path: json.container_path,
            host_path: json.host_path,
        })
    }
}

impl TryFrom<JsonSource> for DiskSource {
    type Error = ParseError;

    fn try_from(json: JsonSource) -> Result<DiskSource, ParseError> {
        let kind = match json.kind.as_str() {
            "PATH" => DiskSourceKind::Path,
            "MOUNT" => DiskSourceKind::Mount,
            "BLOCK" => DiskSourceKind::Block,
            "RAW" => DiskSourceKind::Raw,
            other => return Err(ParseError::expected("PATH, MOUNT, BLOCK or RAW", other)),
        };
        Ok(DiskSource {
            kind,
            root: json.path.or(json.mount).and_then(|place| place.root),
            id: json.id,
            profile: json.profile,
            vendor: json.vendor,
            metadata: Labels::try_from(json.metadata.unwrap_or_default().labels)?,
        })
    }
}

impl From<&Resource> for JsonResource {
    fn from(resource: &Resource) -> Self {
        let (mut scalar, mut ranges, mut set) = (None, None, None);
        match &resource.value {
            Value::Scalar(amount) => {
                scalar = Some(JsonScalar {
                    value: amount.as_f64(),
                })
            }
            Value::Ranges(list) => {
                ranges = Some(JsonRanges {
                    range: list.as_slice().to_vec(),
                })
            }
            Value::Set(words) => {
                set = Some(JsonSet {
                    item: words.iter().map(str::to_owned).collect(),
                });
            }
        }
        Self {
            name: resource.name.to_string(),
            kind: resource.value.type_name().to_owned(),
            scalar,
            ranges,
            set,
            role: None,
            reservation: None,
            reservations: resource
                .reservations
                .iter()
                .map(JsonReservation::from)
                .collect(),
            disk: resource.disk.as_deref().map(JsonDisk::from),
            revocable: resource.revocable.then_some(JsonMark {}),
            shared: resource.shared.then_some(JsonMark {}),
            provider_id: resource.provider.as_ref().map(|id| JsonId {
                value: id.to_string(),
            }),
        }
    }
}

impl From<&Labels> for JsonLabels {
    fn from(labels: &Labels) -> Self {
        Self {
            labels: labels.iter().cloned().collect(),
        }
    }
}

impl From<&Reservation> for JsonReservation {
    fn from(reservation: &Reservation) -> Self {
        let kind = match reservation.kind {
            ReservationKind::Static => "STATIC",
            ReservationKind::Dynamic => "DYNAMIC",
        };
        Self {
            kind: Some(kind.to_owned()),
            role: reservation.role.clone(),
            principal: reservation.principal.clone(),
            labels: Some(&reservation.labels)
                .filter(|l| !l.is_empty())
                .map(JsonLabels::from),
        }
    }
}

impl From<&DiskInfo> for JsonDisk {
    fn from(disk: &DiskInfo) -> Self {
        Self {
            persistence: disk.persistence.clone(),
            volume: disk.volume.as_ref().map(JsonVolume::from),
            source: disk.source.as_ref().map(JsonSource::from),
        }
    }
}

impl From<&Volume> for JsonVolume {
    fn from(volume: &Volume) -> Self {
        let mode = match volume.mode {
            VolumeMode::ReadWrite => "RW",
            VolumeMode::ReadOnly => "RO",
        };
        Self {
            mode: mode.to_owned(),
            container_path: volume.container_path.clone(),
            host_path: volume.host_path.clone(),
        }
    }
}

impl From<&DiskSource> for JsonSource {
    fn from(source: &DiskSource) -> Self {
        let place = || {
            Some(JsonRoot {
                root: source.root.clone(),
            })
        };
        let (kind, path, mount) = match source.kind {
            DiskSourceKind::Path => ("PATH", place(), None),
            DiskSourceKind::Mount => ("MOUNT", None, place()),
            DiskSourceKind::Block => ("BLOCK", None, None),
            DiskSourceKind::Raw => ("RAW", None, None),
        };
        Self {
            kind: kind.to_owned(),
            path,
            mount,
            id: source.id.clone(),
            profile: source.profile.clone(),
            vendor: source.vendor.clone(),
            metadata: Some(&source.metadata)
                .filter(|l| !l.is_empty())
                .map(JsonLabels::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_read_from_json() {
        let resources = Resources::from_json(
            r#"[
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}, "unknown": 7},
                {"name": "mem", "type": "SCALAR", "scalar": {"value": 5}, "role": "a"},
                {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 2}]}},
                {"name": "disks", "type": "SET", "set": {"item": ["b", "a"]}, "role": "*"}
            ]"#,
        );
        let expected = "cpus:0.1; mem(a):5; ports:[1-2]; disks:{a,b}";
        assert_eq!(resources.unwrap().to_string(), expected);
    }

    #[test]
    fn the_json_of_resources_reads_as_the_resources() {
        let resources = Resources::from_json(
            r#"[
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 2}, "revocable": {}},
                {"name": "mem", "type": "SCALAR", "scalar": {"value": 5}, "role": "a",
                 "reservation": {"principal": "ops", "labels": {"labels": [{"key": "k"}]}}},
                {"name": "disk", "type": "SCALAR", "scalar": {"value": 7}, "shared": {},
                 "provider_id": {"value": "p"},
                 "reservations": [{"type": "STATIC", "role": "a"},
                                  {"type": "DYNAMIC", "role": "a/b", "principal": "ops"}],
                 "disk": {"persistence": {"id": "v", "principal": "ops"},
                          "volume": {"mode": "RW", "container_path": "data"},
                          "source": {"type": "MOUNT", "mount": {"root": "/mnt/a"}, "id": "i"}}}
            ]"#,
        )
        .unwrap();
        let json = resources.to_json().to_string();
        assert_eq!(Resources::from_json(&json), Ok(resources.clone()));
        assert_eq!(
            resources.to_string(),
            "cpus{REV}:2; mem(reservations: [(DYNAMIC,a,ops,{k})]):5; \
             disk(reservations: [(STATIC,a),(DYNAMIC,a/b,ops)])[MOUNT:/mnt/a,v,data:rw]<SHARED>:7"
        );
    }

    #[test]
    fn a_bad_document_is_an_error() {
        for bad in [
            "",
            "{}",
            "[7]",
            r#"[{"name": "cpus"}]"#,
            r#"[{"name": "cpus", "type": "SCALAR"}]"#,
            r#"[{"name": "cpus", "type": "TEXT", "text": {"value": "a"}}]"#,
            r#"[{"name": "cpus", "type": "SCALAR", "scalar": {"value": -1}}]"#,
            r#"[{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1e99}}]"#,
            r#"[{"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 2, "end": 1}]}}]"#,
            r#"[{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}, "reservation": {}}]"#,
            r#"[{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}, "role": "a b"}]"#,
        ] {
            assert!(Resources::from_json(bad).is_err(), "{bad}");
        }
    }
}
