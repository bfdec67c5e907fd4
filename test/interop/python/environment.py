"""Makes a virtual environment with the pinned packages, or finds the one that an earlier run made.

    python3 environment.py FOLDER REQUIREMENTS

prints the path of its interpreter. One of each version of Python and of the requirements is kept in
FOLDER. Several processes may ask for it at once: the first one makes it, the others wait.
"""

import fcntl
import hashlib
import importlib.metadata
import pathlib
import platform
import re
import shutil
import subprocess
import sys


def environment(folder, requirements):
    wanted = requirements.read_text()
    pinned = [line.split("==") for line in wanted.split()]
    key = hashlib.sha256(f"{sys.executable}\n{wanted}".encode()).hexdigest()[:8]
    name, version = pinned[0]
    path = folder / f"python-{platform.python_version()}-{name}-{version}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    with open(f"{path}.lock", "w") as lock:
        # The system lets go of it when this process ends, however it ends.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_intact(path, pinned):
            make(path, requirements)
    return path / "bin" / "python"


def is_intact(path, pinned):
    """Whether the interpreter and each file that the packages brought are there."""
    if not (path / "complete").exists() or not (path / "bin" / "python").exists():
        return False
    [packages] = path.glob("lib/python*/site-packages") or [None]
    found = importlib.metadata.distributions(path=[str(packages)])
    versions = {normal(found.metadata["Name"]): found for found in found}
    return all(
        name in versions
        and versions[name].version == version
        and all(file.locate().exists() for file in versions[name].files or [])
        for name, version in pinned
    )


def normal(name):
    """Packages write their names with dots and underscores too."""
    return re.sub(r"[-_.]+", "-", name).lower()


def make(path, requirements):
    shutil.rmtree(path, ignore_errors=True)
    succeed(sys.executable, "-m", "venv", path)
    python = path / "bin" / "python"
    succeed(python, "-m", "pip", "install", "--disable-pip-version-check", "-qr", requirements)
    (path / "complete").touch()


def succeed(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}")


print(environment(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
