//! Labels, and how others find a task.

use super::{At, Unfit, all};
use crate::v1::{DiscoveryInfo, Label, Labels, Port, Ports, Visibility};

/// Labels, if there are some.
pub(super) fn labels(labels: &types::Labels) -> Option<Labels> {
    (!labels.is_empty()).then(|| Labels {
        labels: labels
            .iter()
            .map(|label| Label {
                key: label.key.clone(),
                value: label.value.clone(),
            })
            .collect(),
    })
}

impl TryFrom<Labels> for types::Labels {
    type Error = Unfit;

    fn try_from(message: Labels) -> Result<Self, Unfit> {
        let labels = message.labels.into_iter();
        let labels = labels.map(|label| types::Label {
            key: label.key,
            value: label.value,
        });
        types::Labels::try_from(labels.collect::<Vec<_>>()).at("labels")
    }
}

impl From<types::Visibility> for Visibility {
    fn from(visibility: types::Visibility) -> Self {
        match visibility {
            types::Visibility::Framework => Visibility::Framework,
            types::Visibility::Cluster => Visibility::Cluster,
            types::Visibility::External => Visibility::External,
        }
    }
}

impl From<Visibility> for types::Visibility {
    fn from(visibility: Visibility) -> Self {
        match visibility {
            Visibility::Framework => types::Visibility::Framework,
            Visibility::Cluster => types::Visibility::Cluster,
            Visibility::External => types::Visibility::External,
        }
    }
}

impl From<&types::DiscoveryInfo> for DiscoveryInfo {
    fn from(discovery: &types::DiscoveryInfo) -> Self {
        let ports = discovery.ports.iter().map(|port| Port {
            number: u32::from(port.number),
            name: port.name.clone(),
            protocol: port.protocol.clone(),
            visibility: port.visibility.map(Visibility::from),
            labels: labels(&port.labels),
        });
        Self {
            visibility: discovery.visibility.into(),
            name: discovery.name.clone(),
            environment: discovery.environment.clone(),
            location: discovery.location.clone(),
            version: discovery.version.clone(),
            ports: (!discovery.ports.is_empty()).then(|| Ports {
                ports: ports.collect(),
            }),
            labels: labels(&discovery.labels),
        }
    }
}

impl TryFrom<DiscoveryInfo> for types::DiscoveryInfo {
    type Error = Unfit;

    fn try_from(message: DiscoveryInfo) -> Result<Self, Unfit> {
        let ports = all(message.ports.unwrap_or_default().ports, |port| {
            Ok::<_, Unfit>(types::Port {
                number: u16::try_from(port.number).at("number")?,
                name: port.name,
                protocol: port.protocol,
                visibility: port.visibility.map(Into::into),
                labels: port.labels.unwrap_or_default().try_into().at("labels")?,
            })
        });
        Ok(Self {
            visibility: message.visibility.into(),
            name: message.name,
            environment: message.environment,
            location: message.location,
            version: message.version,
            ports: ports.at("ports.ports")?,
            labels: message.labels.unwrap_or_default().try_into().at("labels")?,
        })
    }
}
