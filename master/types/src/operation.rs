//! Operations: what a framework does with what it was offered.

use serde::{Deserialize, Serialize};

use crate::{ExecutorInfo, Resource, ResourceError, Resources, TaskInfo};

/// What a framework does with an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::large_enum_variant,
    reason = "there are a few of them at a time, in one list"
)]
pub enum Operation {
    /// Launches tasks.
    Launch {
        /// The tasks.
        tasks: Vec<TaskInfo>,
    },
    /// Launches a group of tasks under one executor: all of them, or none.
    LaunchGroup {
        /// The executor, to be started unless it runs already.
        executor: ExecutorInfo,
        /// The tasks, which name no executor.
        tasks: Vec<TaskInfo>,
    },
    /// Reserves resources.
    Reserve {
        /// The resources as they shall be, with the reservation to add as the last.
        resources: Resources,
    },
    /// Ends reservations.
    Unreserve {
        /// The resources as they are, with the reservation to remove as the last.
        resources: Resources,
    },
    /// Makes persistent volumes.
    Create {
        /// The volumes as they shall be.
        volumes: Resources,
    },
    /// Destroys persistent volumes, with all that is in them.
    Destroy {
        /// The volumes as they are.
        volumes: Resources,
    },
}

/// What an operation makes of resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversion {
    /// What it takes.
    pub consumed: Resources,
    /// What it leaves instead.
    pub converted: Resources,
}

impl Operation {
    /// Returns the name of the operation, as Mesos writes it.
    pub const fn name(&self) -> &'static str {
        match self {
            Operation::Launch { .. } => "LAUNCH",
            Operation::LaunchGroup { .. } => "LAUNCH_GROUP",
            Operation::Reserve { .. } => "RESERVE",
            Operation::Unreserve { .. } => "UNRESERVE",
            Operation::Create { .. } => "CREATE",
            Operation::Destroy { .. } => "DESTROY",
        }
    }

    /// Returns whether it launches tasks.
    pub const fn launches(&self) -> bool {
        matches!(
            self,
            Operation::Launch { .. } | Operation::LaunchGroup { .. }
        )
    }

    /// Returns what the operation makes of resources; nothing for a launch, which uses them as
    /// they are.
    ///
    /// # Errors
    ///
    /// Fails when a resource is not of the kind the operation is for.
    pub fn conversion(&self) -> Result<Option<Conversion>, ResourceError> {
        match self {
            Operation::Launch { .. } | Operation::LaunchGroup { .. } => Ok(None),
            Operation::Reserve { resources } => {
                self.require(resources, Resource::is_dynamically_reserved)?;
                let consumed = resources.pop_reservation();
                Ok(Some(Conversion {
                    consumed,
                    converted: resources.clone(),
                }))
            }
            Operation::Unreserve { resources } => {
                let plain = |r: &Resource| r.is_dynamically_reserved() && !r.is_persistent_volume();
                self.require(resources, plain)?;
                let converted = resources.pop_reservation();
                Ok(Some(Conversion {
                    consumed: resources.clone(),
                    converted,
                }))
            }
            Operation::Create { volumes } => {
                self.require(volumes, is_whole_volume)?;
                volumes.validate()?;
                Ok(Some(Conversion {
                    consumed: emptied(volumes),
                    converted: volumes.clone(),
                }))
            }
            Operation::Destroy { volumes } => {
                self.require(volumes, is_whole_volume)?;
                Ok(Some(Conversion {
                    consumed: volumes.clone(),
                    converted: emptied(volumes),
                }))
            }
        }
    }

    fn require(
        &self,
        resources: &Resources,
        holds: impl Fn(&Resource) -> bool,
    ) -> Result<(), ResourceError> {
        match resources.iter().find(|resource| !holds(resource)) {
            Some(wrong) => Err(ResourceError::Operation {
                operation: self.name(),
                resource: wrong.to_string(),
            }),
            None => Ok(()),
        }
    }
}

impl Resources {
    /// Returns what is left after an operation. A launch changes nothing.
    ///
    /// # Errors
    ///
    /// Fails when the operation is for other kinds of resources, or takes what is not here.
    pub fn apply(&self, operation: &Operation) -> Result<Resources, ResourceError> {
        let Some(conversion) = operation.conversion()? else {
            return Ok(self.clone());
        };
        let rest = self.checked_sub(&conversion.consumed);
        let rest = rest.ok_or_else(|| ResourceError::NotContained {
            missing: conversion.consumed.to_string(),
            available: self.to_string(),
        })?;
        Ok(rest + conversion.converted)
    }
}

fn is_whole_volume(resource: &Resource) -> bool {
    let volume = resource.disk.as_ref().and_then(|disk| disk.volume.as_ref());
    resource.is_persistent_volume()
        && volume.is_some_and(|volume| volume.host_path.is_none())
        && !resource.is_unreserved()
}

/// The disk that volumes are made from, and become again.
fn emptied(volumes: &Resources) -> Resources {
    let empty = |volume: &Resource| {
        let mut disk = volume.clone();
        disk.shared = false;
        if let Some(info) = &mut disk.disk {
            info.persistence = None;
            info.volume = None;
        }
        disk.disk = disk.disk.filter(|info| info.source.is_some());
        disk
    };
    Resources::from_valid(volumes.iter().map(empty).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DiskInfo, Persistence, Reservation, ResourceName, Role, Scalar, Volume};
    use crate::{DiskSource, DiskSourceKind, Labels, VolumeMode};

    fn resources(text: &str) -> Resources {
        text.parse().unwrap()
    }

    fn reserved(text: &str) -> Resources {
        let reservation = Reservation::dynamic(Role::new("db").unwrap(), Some("ops".into()));
        resources(text).push_reservation(&reservation).unwrap()
    }

    fn volume(id: &str, mib: u64) -> Resource {
        let volume = Volume {
            mode: VolumeMode::ReadWrite,
            container_path: "data".into(),
            host_path: None,
        };
        let persistence = Some(Persistence {
            id: id.into(),
            principal: None,
        });
        let disk = DiskInfo {
            persistence,
            volume: Some(volume),
            source: None,
        };
        Resource {
            disk: Some(Box::new(disk)),
            reservations: reserved("disk:1")
                .iter()
                .next()
                .unwrap()
                .reservations
                .clone(),
            ..Resource::scalar(ResourceName::DISK, Scalar::from_units(mib))
        }
    }

    #[test]
    fn reserving_and_unreserving_are_inverse() {
        let total = resources("cpus:4;mem:100");
        let reserve = Operation::Reserve {
            resources: reserved("cpus:1"),
        };
        let after = total.apply(&reserve).unwrap();
        assert_eq!(after, resources("cpus:3;mem:100") + reserved("cpus:1"));
        let unreserve = Operation::Unreserve {
            resources: reserved("cpus:1"),
        };
        assert_eq!(after.apply(&unreserve).unwrap(), total);
    }

    #[test]
    fn creating_and_destroying_are_inverse() {
        let total = reserved("cpus:1;disk:100");
        let volumes = Resources::new().with(volume("a", 30)).with(volume("b", 30));
        let after = total
            .apply(&Operation::Create {
                volumes: volumes.clone(),
            })
            .unwrap();
        assert_eq!(after, reserved("cpus:1;disk:40") + &volumes);
        assert_eq!(after.apply(&Operation::Destroy { volumes }).unwrap(), total);
    }

    #[test]
    fn the_device_of_a_volume_stays_when_the_volume_goes() {
        let mut mounted = volume("a", 30);
        if let Some(disk) = &mut mounted.disk {
            disk.source = Some(DiskSource {
                kind: DiskSourceKind::Mount,
                root: Some("/mnt/a".into()),
                id: None,
                profile: None,
                vendor: None,
                metadata: Labels::new(),
            });
        }
        let total = Resources::new().with(mounted.clone());
        let destroy = Operation::Destroy {
            volumes: total.clone(),
        };
        let empty = total.apply(&destroy).unwrap();
        assert!(empty.persistent_volumes().is_empty());
        assert_eq!(empty.total_disk_mib(), Scalar::from_units(30));
        assert_eq!(
            empty
                .apply(&Operation::Create {
                    volumes: total.clone()
                })
                .unwrap(),
            total
        );
    }

    #[test]
    fn an_operation_takes_only_what_is_there() {
        let total = resources("cpus:4");
        let reserve = Operation::Reserve {
            resources: reserved("cpus:5"),
        };
        assert!(matches!(
            total.apply(&reserve),
            Err(ResourceError::NotContained { .. })
        ));
        assert_eq!(
            total.apply(&Operation::Launch { tasks: vec![] }).unwrap(),
            total
        );
    }

    #[test]
    fn an_operation_is_for_resources_of_its_kind() {
        let volumes = Resources::new().with(volume("a", 30));
        for wrong in [
            Operation::Reserve {
                resources: resources("cpus:1"),
            },
            Operation::Unreserve {
                resources: resources("cpus(db):1"),
            },
            Operation::Unreserve {
                resources: volumes.clone(),
            },
            Operation::Create {
                volumes: reserved("disk:5"),
            },
            Operation::Destroy {
                volumes: reserved("disk:5"),
            },
            Operation::Create {
                volumes: volumes.with(volume("a", 30)),
            },
        ] {
            assert!(wrong.conversion().is_err(), "{wrong:?}");
        }
    }
}
