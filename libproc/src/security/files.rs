//! Reads keys and certificates from files.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::SecurityError;

/// Largest file of certificates, in bytes: all authorities of the web fit.
pub(super) const CERTIFICATES_MAX: u64 = 1 << 20;
/// The permission bits of a file that are not its owner's.
const OTHERS: u32 = 0o077;

/// Reads a file that only its owner should be able to read; warns when others can.
pub(super) fn read_secret(path: &Path, max: u64) -> Result<Zeroizing<Vec<u8>>, SecurityError> {
    let (bytes, mode) = read_with_mode(path, max).map_err(|source| error(path, source))?;
    if mode & OTHERS != 0 {
        let mode = format!("{:o}", mode & 0o777);
        tracing::warn!(path = %path.display(), mode, "others can read this secret: chmod 600 it");
    }
    Ok(Zeroizing::new(bytes))
}

/// Reads a file that anybody may read.
pub(super) fn read(path: &Path, max: u64) -> Result<Vec<u8>, SecurityError> {
    let (bytes, _) = read_with_mode(path, max).map_err(|source| error(path, source))?;
    Ok(bytes)
}

fn read_with_mode(path: &Path, max: u64) -> io::Result<(Vec<u8>, u32)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut bytes = Vec::with_capacity(metadata.len().min(max) as usize + 1);
    (&mut file).take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has over {max} bytes"),
        ));
    }
    Ok((bytes, metadata.mode()))
}

fn error(path: &Path, source: io::Error) -> SecurityError {
    SecurityError::Read {
        path: path.to_owned(),
        source,
    }
}
