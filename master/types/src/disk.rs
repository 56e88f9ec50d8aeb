//! Disks: persistent volumes, and where their bytes lie.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Labels;

/// What makes a piece of disk more than an amount.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DiskInfo {
    /// The volume outlives the task that writes to it.
    pub persistence: Option<Persistence>,
    /// Where a container sees it.
    pub volume: Option<Volume>,
    /// Which device it is on; none is the agent's work directory.
    pub source: Option<DiskSource>,
}

/// The identity of a persistent volume.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Persistence {
    /// Names the volume within its role and agent.
    pub id: String,
    /// Who made it, if known.
    pub principal: Option<String>,
}

/// Where a container sees a volume, and what it may do there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Volume {
    /// Reading only, or writing too.
    pub mode: VolumeMode,
    /// The path inside the container, relative to its sandbox or absolute.
    pub container_path: String,
    /// The path on the agent, where the container brings its own.
    pub host_path: Option<String>,
}

/// What a container may do in a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum VolumeMode {
    /// Read and write.
    ReadWrite,
    /// Read.
    ReadOnly,
}

/// The device a disk is on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DiskSource {
    /// What kind of device.
    pub kind: DiskSourceKind,
    /// The directory, for a path or a mount.
    pub root: Option<String>,
    /// The id its provider gave it.
    pub id: Option<String>,
    /// The profile its provider made it with.
    pub profile: Option<String>,
    /// Who provides it.
    pub vendor: Option<String>,
    /// What its provider wants to remember.
    pub metadata: Labels,
}

/// The kind of device a disk is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DiskSourceKind {
    /// A directory that may be divided.
    Path,
    /// A mounted file system, given away whole.
    Mount,
    /// A block device, given away whole.
    Block,
    /// Storage that is neither yet; with an id it is given away whole.
    Raw,
}

impl DiskInfo {
    /// Returns whether two such disks of the same description are one greater disk.
    pub(crate) fn is_divisible(&self) -> bool {
        let whole = self
            .source
            .as_ref()
            .is_some_and(|source| match source.kind {
                DiskSourceKind::Path => false,
                DiskSourceKind::Mount | DiskSourceKind::Block => true,
                DiskSourceKind::Raw => source.id.is_some(),
            });
        self.persistence.is_none() && !whole
    }

    /// Returns all free texts.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let persistence = self.persistence.iter();
        let persistence = persistence.flat_map(|p| [Some(&p.id), p.principal.as_ref()]);
        let volume = self.volume.iter();
        let volume = volume.flat_map(|v| [Some(&v.container_path), v.host_path.as_ref()]);
        let source = self
            .source
            .iter()
            .flat_map(|s| [&s.root, &s.id, &s.profile, &s.vendor]);
        let source = source.map(Option::as_ref);
        persistence
            .chain(volume)
            .chain(source)
            .flatten()
            .map(String::as_str)
    }
}

impl fmt::Display for DiskSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            DiskSourceKind::Path => "PATH",
            DiskSourceKind::Mount => "MOUNT",
            DiskSourceKind::Block => "BLOCK",
            DiskSourceKind::Raw => "RAW",
        })?;
        match (&self.root, &self.id) {
            (Some(root), _) => write!(f, ":{root}"),
            (None, Some(id)) => write!(f, "({id})"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for DiskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        if let Some(source) = &self.source {
            write!(f, "{source}")?;
            comma = ",";
        }
        if let Some(persistence) = &self.persistence {
            write!(f, "{comma}{}", persistence.id)?;
            comma = ",";
        }
        if let Some(volume) = &self.volume {
            let mode = match volume.mode {
                VolumeMode::ReadWrite => "rw",
                VolumeMode::ReadOnly => "ro",
            };
            write!(f, "{comma}{}:{mode}", volume.container_path)?;
        }
        Ok(())
    }
}
