//! Clients written in Python, each in an environment of its own.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{once, place, script, succeed};
use crate::support::finish;

/// The interpreters a client runs on, and what is installed for it.
pub(crate) struct PythonClient {
    pub(crate) name: &'static str,
    /// The one that is preferred first.
    pub(crate) pythons: &'static [&'static str],
    /// What its other requirements are built with.
    pub(crate) tools: &'static [&'static str],
    /// Whether it needs `http-parser`, whose C has to be made anew.
    pub(crate) http_parser: bool,
    /// Whether others than who installs it run it: then it lies in a copy of the interpreter, which
    /// may be kept where nobody else can read.
    pub(crate) shared: bool,
    pub(crate) requirements: &'static [&'static str],
}

/// What `http-parser` is built with.
pub(crate) const TOOLS: &[&str] = &["cython<3", "setuptools<66", "wheel"];

/// Its parser of HTTP needs modules that Python 3.12 has no more.
pub(crate) const PYMESOS: PythonClient = PythonClient {
    name: "pymesos-0.3.15",
    pythons: &["3.11", "3.10", "3.9", "3.8"],
    tools: TOOLS,
    http_parser: true,
    shared: false,
    requirements: &["pymesos==0.3.15"],
};

impl PythonClient {
    /// The interpreter with the client, installed if it was not; or why that cannot be.
    pub(crate) fn install(&self) -> Result<PathBuf, String> {
        let (place, _guard) = place()?;
        let venv = place.join(self.name);
        let inside = venv.join("bin/python");
        once(&venv, |venv| {
            let python = self.pythons.iter().find_map(|version| interpreter(version));
            let versions = self.pythons.join(", ");
            let python = python.ok_or_else(|| format!("there is no Python {versions}"))?;
            match self.shared {
                true => copy(&python, venv)?,
                false => {
                    let mut make = Command::new(python);
                    make.args(["-m", "venv"]).arg(venv);
                    succeed(make)?;
                }
            }
            let install = |requirements: &[&str]| {
                let mut pip = Command::new(&inside);
                pip.args(["-m", "pip", "install", "--quiet"]);
                pip.arg("--disable-pip-version-check").args(requirements);
                succeed(pip)
            };
            if !self.tools.is_empty() {
                install(self.tools)?;
            }
            if self.http_parser {
                let mut build = Command::new(&inside);
                build.arg(script("build_http_parser.py"));
                succeed(build)?;
            }
            install(self.requirements)
        })?;
        Ok(inside)
    }

    /// The interpreter with the client; none when the test is to end.
    pub(crate) fn get(&self) -> Option<PathBuf> {
        super::get(self.name, || self.install())
    }

    /// The command that runs a script of ours on the client.
    pub(crate) fn command(&self, name: &str) -> Option<Command> {
        let mut command = Command::new(self.get()?);
        command.arg(script(name));
        Some(command)
    }
}

/// Copies an interpreter and its library to `to`, where its name is `bin/python`.
fn copy(python: &Path, to: &Path) -> Result<(), String> {
    for above in to.ancestors().skip(1) {
        let seen = std::fs::metadata(above).is_ok_and(|seen| seen.mode() & 0o001 != 0);
        if !seen {
            return Err(format!("others cannot enter {}", above.display()));
        }
    }
    let mut ask = Command::new(python);
    ask.args([
        "-c",
        "import sys; print(sys.base_prefix, sys.version_info[1])",
    ]);
    let answer = finish(ask);
    let answer = answer.text();
    let (prefix, minor) = answer
        .trim()
        .rsplit_once(' ')
        .ok_or("no answer of Python")?;
    let mut copy = Command::new("cp");
    copy.args(["-r", prefix]).arg(to);
    succeed(copy)?;
    // It looks for its shared library where it was, and takes the name it is called by for its own.
    let wrapper = format!(
        "#!/bin/bash\nLD_LIBRARY_PATH={0}/lib exec -a \"$0\" {0}/bin/python3.{minor} \"$@\"\n",
        to.display(),
    );
    let name = to.join("bin/python");
    let written = std::fs::remove_file(&name)
        .and_then(|()| std::fs::write(&name, wrapper))
        .and_then(|()| std::fs::set_permissions(&name, Permissions::from_mode(0o755)));
    written.map_err(|error| format!("{}: {error}", name.display()))
}

/// A Python of this version: by its name, or among those that pyenv keeps.
pub(crate) fn interpreter(version: &str) -> Option<PathBuf> {
    let name = format!("python{version}");
    let works = |program: &PathBuf| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    };
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
    let kept = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
    let kept = kept
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin").join(&name));
    std::iter::once(PathBuf::from(&name))
        .chain(kept)
        .find(works)
}
