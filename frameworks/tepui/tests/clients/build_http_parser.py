"""Installs http-parser 0.9.0, which pymesos reads HTTP with, for the interpreter that runs this.

Its source distribution brings C that Cython made in 2020, which does not compile for Python 3.11.
The Cython it was made from is in there as well: that is translated once more, by the last Cython
of the same series. Nothing of it is changed. Needs a C compiler and, installed beside it,
Cython < 3, setuptools < 66 and wheel.
"""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

NAME = "http-parser"
VERSION = "0.9.0"


def run(*words):
    subprocess.run([sys.executable, "-m", *words], check=True)


with tempfile.TemporaryDirectory() as place:
    pip = ["pip", "--quiet", "--disable-pip-version-check"]
    source = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
    run(*pip, "download", *source, "--dest", place, f"{NAME}=={VERSION}")
    with tarfile.open(Path(place) / f"{NAME}-{VERSION}.tar.gz") as archive:
        archive.extractall(place)
    tree = Path(place) / f"{NAME}-{VERSION}"
    run("cython", "-2", str(tree / "http_parser" / "parser.pyx"))
    run(*pip, "install", "--no-deps", "--no-build-isolation", str(tree))
