//! Clients written in Python, each in an environment of its own.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{once, place, script, succeed};

/// The interpreters a client runs on, and what is installed for it.
pub(crate) struct PythonClient {
    pub(crate) name: &'static str,
    /// The one that is preferred first.
    pub(crate) pythons: &'static [&'static str],
    /// What its other requirements are built with.
    pub(crate) tools: &'static [&'static str],
    /// Whether it needs `http-parser`, whose C has to be made anew.
    pub(crate) http_parser: bool,
    /// Whether others than who installs it run it: where its interpreter is kept from them, it lies
    /// in a copy of that.
    pub(crate) shared: bool,
    /// What its interpreter does first, in one line, where the client is older than Python is.
    pub(crate) begins: Option<&'static str>,
    pub(crate) requirements: &'static [&'static str],
}

/// What `http-parser` is built with.
pub(crate) const TOOLS: &[&str] = &["cython<3", "setuptools<66", "wheel"];

/// Its parser of HTTP needs modules that Python 3.12 has no more; ZooKeeper it asks by kazoo.
pub(crate) const PYMESOS: PythonClient = PythonClient {
    name: "pymesos-0.3.15-zookeeper",
    pythons: &["3.11", "3.10", "3.9", "3.8"],
    tools: TOOLS,
    http_parser: true,
    shared: false,
    begins: None,
    requirements: &["pymesos==0.3.15", "kazoo==2.11.0"],
};

impl PythonClient {
    /// The interpreter with the client, installed if it was not; or why that cannot be.
    pub(crate) fn install(&self) -> Result<PathBuf, String> {
        let (mut place, _guard) = place()?;
        if self.shared && !is_open(&place) {
            place = open_place()?;
        }
        let venv = place.join(self.name);
        let inside = venv.join("bin/python");
        once(&venv, |venv| {
            let versions = || {
                self.pythons
                    .iter()
                    .flat_map(|version| interpreters(version))
            };
            let open = |python: &PathBuf| prefix(python).is_some_and(|it| is_open(&it));
            let python = versions().find(|python| !self.shared || open(python));
            let python = python.or_else(|| versions().next());
            let python =
                python.ok_or_else(|| format!("there is no Python {}", self.pythons.join(", ")))?;
            if self.shared && !open(&python) {
                copy(&python, venv)?;
            } else {
                let mut make = Command::new(python);
                make.args(["-m", "venv"]).arg(venv);
                succeed(make)?;
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
            install(self.requirements)?;
            self.begins.map_or(Ok(()), |line| begin_with(&inside, line))
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

/// Whether every user can enter this directory, and those above it.
fn is_open(directory: &Path) -> bool {
    let seen = |above: &Path| std::fs::metadata(above).is_ok_and(|it| it.mode() & 0o001 != 0);
    directory.ancestors().all(seen)
}

/// A directory of this user's that every user can enter.
fn open_place() -> Result<PathBuf, String> {
    let user = nix::unistd::geteuid();
    let place = std::env::temp_dir().join(format!("tepui-clients-{user}"));
    let said = |error: std::io::Error| format!("{}: {error}", place.display());
    std::fs::create_dir_all(&place).map_err(said)?;
    let seen = std::fs::symlink_metadata(&place).map_err(said)?;
    if !seen.is_dir() || seen.uid() != user.as_raw() {
        return Err(format!("{} is another's", place.display()));
    }
    std::fs::set_permissions(&place, Permissions::from_mode(0o755)).map_err(said)?;
    match is_open(&place) {
        true => Ok(place),
        false => Err(format!("others cannot enter {}", place.display())),
    }
}

/// What an interpreter answers to a line of Python; none if it fails.
fn ask(python: &Path, line: &str) -> Option<String> {
    let output = Command::new(python).args(["-c", line]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Where an interpreter has its library.
fn prefix(python: &Path) -> Option<PathBuf> {
    ask(python, "import sys; print(sys.base_prefix)").map(PathBuf::from)
}

/// Has an interpreter begin with a line whatever it runs, as files beside its packages can say.
fn begin_with(python: &Path, line: &str) -> Result<(), String> {
    let ask_for = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let packages = ask(python, ask_for).ok_or("no answer of Python")?;
    let file = Path::new(&packages).join("begins.pth");
    std::fs::write(&file, line).map_err(|error| format!("{}: {error}", file.display()))
}

/// Copies an interpreter and its library to `to`, where its name is `bin/python`.
fn copy(python: &Path, to: &Path) -> Result<(), String> {
    let prefix = prefix(python).ok_or("no answer of Python")?;
    let minor = ask(python, "import sys; print(sys.version_info[1])");
    let minor = minor.ok_or("no answer of Python")?;
    let mut copy = Command::new("cp");
    copy.arg("-r").arg(prefix).arg(to);
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

/// Pythons of this version that can make environments: by their name, where systems keep them, and
/// those that pyenv keeps.
pub(crate) fn interpreters(version: &str) -> impl Iterator<Item = PathBuf> {
    let name = format!("python{version}");
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
    let kept = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
    let kept = kept.into_iter().flatten().flatten();
    let kept: Vec<PathBuf> = kept
        .map(|entry| entry.path().join("bin").join(&name))
        .collect();
    let systems = ["/usr/bin", "/usr/local/bin"].map(|place| Path::new(place).join(&name));
    let all = std::iter::once(PathBuf::from(&name))
        .chain(systems)
        .chain(kept);
    all.filter(|program| ask(program, "import ensurepip, venv").is_some())
}
