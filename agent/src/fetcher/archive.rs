//! Archives, by their names: what is in them is unpacked beside them, and nowhere else.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use super::{BYTES_MAX, FetchError, write};

/// Most entries of an archive.
const ENTRIES_MAX: usize = 1_000_000;

/// How something is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Archive {
    Tar,
    TarGz,
    Gz,
    Zip,
    /// One that Apache Mesos unpacks and we do not.
    Other(&'static str),
}

impl Archive {
    /// Tells how a file is packed by its name; none if it is no archive.
    pub(super) fn of(file: &Path) -> Option<Archive> {
        let name = file.file_name()?.to_str()?.to_ascii_lowercase();
        let endings = [
            (".tar.gz", Archive::TarGz),
            (".tgz", Archive::TarGz),
            (".tar", Archive::Tar),
            (".zip", Archive::Zip),
            (".tar.bz2", Archive::Other("bzip2")),
            (".tbz2", Archive::Other("bzip2")),
            (".tar.xz", Archive::Other("xz")),
            (".txz", Archive::Other("xz")),
            (".gz", Archive::Gz),
        ];
        let found = endings.iter().find(|(ending, _)| name.ends_with(ending));
        found.map(|(_, archive)| *archive)
    }

    /// Unpacks `file` into a directory.
    pub(super) fn unpack(self, file: &Path, into: &Path) -> Result<(), FetchError> {
        let opened = File::open(file).map_err(|error| FetchError::Io("open it", error))?;
        let opened = BufReader::new(opened);
        match self {
            Archive::Tar => untar(opened, into),
            Archive::TarGz => untar(MultiGzDecoder::new(opened), into),
            Archive::Gz => write(MultiGzDecoder::new(opened), &file.with_extension("")),
            Archive::Zip => unzip(opened, into),
            Archive::Other(kind) => {
                Err(FetchError::Archive(format!("{kind} is not unpacked here")))
            }
        }
    }
}

fn wrong(error: impl std::fmt::Display) -> FetchError {
    FetchError::Archive(error.to_string())
}

fn untar(from: impl Read, into: &Path) -> Result<(), FetchError> {
    let mut archive = tar::Archive::new(from);
    let mut left = BYTES_MAX;
    for (i, entry) in archive.entries().map_err(wrong)?.enumerate() {
        let mut entry = entry.map_err(wrong)?;
        left = left.checked_sub(entry.size()).ok_or(FetchError::TooLarge)?;
        if i >= ENTRIES_MAX {
            return Err(wrong(format!("more than {ENTRIES_MAX} entries")));
        }
        match entry.header().entry_type() {
            EntryType::Regular
            | EntryType::Continuous
            | EntryType::Directory
            | EntryType::Symlink
            | EntryType::Link
            | EntryType::GNUSparse => {}
            EntryType::XGlobalHeader => continue,
            // Devices and pipes are nothing to be brought from elsewhere.
            other => return Err(wrong(format!("an entry of the kind {other:?}"))),
        }
        // Through no link that leads out of the directory.
        if !entry.unpack_in(into).map_err(wrong)? {
            let path = entry.path().map_err(wrong)?.display().to_string();
            return Err(wrong(format!("'{path}' leads out of the sandbox")));
        }
    }
    Ok(())
}

fn unzip(from: impl Read + io::Seek, into: &Path) -> Result<(), FetchError> {
    let mut archive = zip::ZipArchive::new(from).map_err(wrong)?;
    if archive.len() > ENTRIES_MAX {
        return Err(wrong(format!("more than {ENTRIES_MAX} entries")));
    }
    let mut left = BYTES_MAX;
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).map_err(wrong)?;
        let Some(name) = entry.enclosed_name() else {
            return Err(wrong(format!(
                "'{}' leads out of the sandbox",
                entry.name()
            )));
        };
        let path = into.join(name);
        if entry.is_dir() {
            fs::create_dir_all(&path).map_err(wrong)?;
            continue;
        }
        if entry.is_symlink() {
            return Err(wrong(format!("'{}' is a link", entry.name())));
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(wrong)?;
        }
        let mut file = File::create(&path).map_err(wrong)?;
        let written = io::copy(&mut (&mut entry).take(left + 1), &mut file).map_err(wrong)?;
        left = left.checked_sub(written).ok_or(FetchError::TooLarge)?;
        if let Some(mode) = entry.unix_mode() {
            let permissions = Permissions::from_mode(mode & 0o777);
            fs::set_permissions(&path, permissions).map_err(wrong)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn tar_of(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            let raw = &mut header.as_old_mut().name;
            raw[..name.len()].copy_from_slice(name.as_bytes());
            if *kind == EntryType::Symlink {
                header.set_link_name(content).unwrap();
                header.set_size(0);
                header.set_cksum();
                builder.append(&header, io::empty()).unwrap();
            } else {
                header.set_size(content.len() as u64);
                header.set_cksum();
                builder.append(&header, content.as_bytes()).unwrap();
            }
        }
        builder.into_inner().unwrap()
    }

    fn unpacked(name: &str, bytes: &[u8]) -> (tempfile::TempDir, Result<(), FetchError>) {
        let directory = tempfile::tempdir().unwrap();
        let into = directory.path().join("sandbox");
        fs::create_dir(&into).unwrap();
        let file = into.join(name);
        fs::write(&file, bytes).unwrap();
        let result = Archive::of(&file).unwrap().unpack(&file, &into);
        (directory, result)
    }

    #[test]
    fn archives_are_told_by_their_names() {
        let of = |name: &str| Archive::of(Path::new(name));
        assert_eq!(of("a/b.tar.gz"), Some(Archive::TarGz));
        assert_eq!(of("b.TGZ"), Some(Archive::TarGz));
        assert_eq!(of("b.txt.gz"), Some(Archive::Gz));
        assert_eq!(of("b.zip"), Some(Archive::Zip));
        assert_eq!(of("b.jar"), None);
    }

    #[test]
    fn a_compressed_tar_is_unpacked() {
        let tar = tar_of(&[
            ("d/run", EntryType::Regular, "hello"),
            ("d/link", EntryType::Symlink, "run"),
        ]);
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&tar).unwrap();
        let (directory, result) = unpacked("a.tgz", &gz.finish().unwrap());
        result.unwrap();
        let link = directory.path().join("sandbox/d/link");
        assert_eq!(fs::read_to_string(link).unwrap(), "hello");
    }

    #[test]
    fn nothing_is_unpacked_elsewhere() {
        for entries in [
            vec![("../out", EntryType::Regular, "x")],
            vec![
                ("up", EntryType::Symlink, ".."),
                ("up/out", EntryType::Regular, "x"),
            ],
            vec![("pipe", EntryType::Fifo, "")],
        ] {
            let (directory, result) = unpacked("a.tar", &tar_of(&entries));
            assert!(result.is_err(), "{entries:?}");
            assert!(!directory.path().join("out").exists());
        }
    }

    #[test]
    fn a_zip_is_unpacked_with_its_modes() {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
        zip.start_file("bin/run", options).unwrap();
        zip.write_all(b"hello").unwrap();
        let (directory, result) = unpacked("a.zip", &zip.finish().unwrap().into_inner());
        result.unwrap();
        let run = directory.path().join("sandbox/bin/run");
        assert_eq!(fs::read_to_string(&run).unwrap(), "hello");
        assert_eq!(
            fs::metadata(&run).unwrap().permissions().mode() & 0o777,
            0o755
        );
        assert!(unpacked("a.zip", b"no zip").1.is_err());
        assert!(unpacked("a.tar.xz", b"").1.is_err());
    }
}
