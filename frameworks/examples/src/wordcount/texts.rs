//! The texts that are counted when none are named; `texts/README.md` says where they are from.

use std::fs;
use std::io;
use std::path::Path;

macro_rules! texts {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../texts/", $name)))),*]
    };
}

/// Carried in the program, so that the example works wherever the program is.
const TEXTS: &[(&str, &[u8])] = texts![
    "licence-apache-2.0.txt",
    "licence-artistic.txt",
    "licence-cc0-1.0.txt",
    "licence-gfdl-1.3.txt",
    "licence-gpl-1.txt",
    "licence-gpl-2.txt",
    "licence-gpl-3.txt",
    "licence-lgpl-2.1.txt",
    "licence-lgpl-3.txt",
    "licence-mpl-2.0.txt",
    "licence-nodejs.txt",
    "nodejs-errors.md",
    "nodejs-fs.md",
    "nodejs-process.md",
    "nodejs-stream.md",
    "perl-libnet-faq.pod",
    "perl-maketext.pod",
    "perl-perldiag.pod",
    "perl-test-tutorial.pod",
    "perl-tpj13.pod",
];

/// Puts the texts into a directory, which is made.
pub(crate) fn unpack(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    TEXTS
        .iter()
        .try_for_each(|(name, text)| fs::write(directory.join(name), text))
}
