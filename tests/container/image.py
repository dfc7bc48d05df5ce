"""The steps of the Dockerfile, run in a root folder that mmdebstrap has made: no container engine is needed.

What an engine adds is done with the kernel's own means: a root of its own (``pivot_root``, as engines do, because
Chromium's sandbox makes a user namespace, which a mere chroot forbids), namespaces for mounts, processes and the host's
name, and a small ``/dev``.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dockerfile_parse import DockerfileParser

PROJECT = Path(__file__).parents[2]
_SUITE = "bookworm"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HOST_FILES = ("/etc/resolv.conf", "/etc/pip.conf")
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_BESIDE = "/etc/authorities-of-the-host.crt"
_PIP = ("PIP_", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(slots=True)
class Image:
    """A root folder, and what the Dockerfile says of how it is run."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    folder: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: str = ""
    stop_signal: str = ""
    volumes: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def script(self, script: str, *, user: str | None = None, hostname: str = "container") -> list[str]:
        """The command that runs a shell script in the image, as PID 1 of a container of its own."""
        uid, _, gid = (user or self.user).partition(":")
        environ = shlex.join(
            f"{name}={value}" for name, value in {"HOME": "/root", "PATH": _PATH, **self.environ}.items()
        )
        inner = (
            f"cd {shlex.quote(self.folder)} && exec setpriv --reuid={uid} --regid={gid or uid} --clear-groups "
            f"--no-new-privs env -i {environ} sh -c {shlex.quote(script)}"
        )
        root = shlex.quote(str(self.root))
        outer = "\n".join(
            [
                "set -e",
                f"hostname {hostname}",
                f"mount --bind {root} {root}",
                f"mount -t proc proc {root}/proc",
                f"mount -t tmpfs -o mode=755 tmpfs {root}/dev",
                f"mkdir {root}/dev/shm && mount -t tmpfs -o mode=1777,size=1g tmpfs {root}/dev/shm",
                f"ln -s /proc/self/fd {root}/dev/fd",
                *(
                    f"touch {root}/dev/{name} && mount --bind /dev/{name} {root}/dev/{name}"
                    for name in ("null", "zero", "full", "random", "urandom", "tty")
                ),
                f"cd {root}",
                "mkdir -p .old && pivot_root . .old",
                "umount -l /.old",
                inner,
            ]
        )
        return ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "sh", "-c", outer]

    def run(
        self, script: str, *, user: str | None = None, hostname: str = "container", timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a script to its end."""
        return subprocess.run(
            self.script(script, user=user, hostname=hostname),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def built(self, script: str, timeout: float = 900) -> str:
        """Run a step of the build; it must do well."""
        done = self.run(script, timeout=timeout)
        assert done.returncode == 0, (script, done.stdout[-3000:], done.stderr[-3000:])
        return done.stdout


_SLIM = ("doc", "info", "locale", "man")
"""Below ``/usr/share``, what ``debian:bookworm-slim`` leaves out."""


def base(root: Path) -> Image:
    """What ``debian:bookworm-slim`` has: Debian's essential packages, apt and mount. Mirrors as on this machine."""
    named = [one for one in (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
             if one.is_file() and one.stat().st_size]  # fmt: skip
    settings = [
        f"--aptopt={line}"
        for file in sorted(Path("/etc/apt/apt.conf.d").glob("*"))
        for line in file.read_text().splitlines()
        if line.startswith("Acquire::") and line.rstrip().endswith(";")
    ]
    quick = ["--dpkgopt=force-unsafe-io", *(f"--dpkgopt=path-exclude=/usr/share/{one}/*" for one in _SLIM)]
    words = ["--quiet", "--mode=root", "--variant=apt", "--include=mount", *quick, *settings, _SUITE, str(root)]
    done = subprocess.run(
        ["mmdebstrap", *words, *map(str, named[:1])], check=False, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for one in _HOST_FILES:
        if Path(one).is_file():
            (root / one[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(one, root / one[1:])
    if _AUTHORITIES.is_file():
        # Whom this machine trusts, for the build: beside the list that the package ca-certificates writes.
        shutil.copy(_AUTHORITIES, root / _BESIDE[1:])
    return Image(root)


def stages(dockerfile: Path) -> list[list[dict[str, Any]]]:
    """The instructions, stage by stage."""
    found: list[list[dict[str, Any]]] = []
    # The parser writes beside the file that it is given: a copy.
    parser = DockerfileParser(fileobj=open(dockerfile, "rb"))  # noqa: SIM115 - it keeps the file for itself
    for step in parser.structure:
        if step["instruction"] == "FROM":
            found.append([])
        elif step["instruction"] != "COMMENT":
            found[-1].append(step)
    return found


def build(image: Image, steps: Sequence[dict[str, Any]], others: Image | None = None) -> None:
    """Run one stage's steps. ``others``: the stage that ``COPY --from`` takes from."""
    pip = {
        name: _BESIDE if value == str(_AUTHORITIES) else value
        for name, value in os.environ.items()
        if name.upper().startswith(_PIP)
    }
    for step in steps:
        kind, value = step["instruction"], step["value"]
        image.steps.append(kind)
        match kind:
            case "RUN":
                exports = "".join(f"export {name}={shlex.quote(one)}; " for name, one in pip.items())
                image.built(f"export DEBIAN_FRONTEND=noninteractive; {exports}{value}")
            case "COPY":
                _copy(image, shlex.split(value), others)
            case "ENV":
                for word in shlex.split(value):
                    name, _, one = word.partition("=")
                    image.environ[name] = one
            case "WORKDIR":
                image.folder = value
                (image.root / value.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                image.user = value
            case "ENTRYPOINT":
                image.entrypoint = json.loads(value)
            case "CMD":
                image.command = json.loads(value)
            case "HEALTHCHECK":
                image.healthcheck = value
            case "STOPSIGNAL":
                image.stop_signal = value
            case "VOLUME":
                image.volumes.append(value)
            case "EXPOSE":
                pass
            case _:
                raise AssertionError(f"a step that this does not know: {kind}")


def _copy(image: Image, words: list[str], others: Image | None) -> None:
    options = [word for word in words if word.startswith("--")]
    *sources, target = [word for word in words if not word.startswith("--")]
    where = image.root / (Path(image.folder) / target).as_posix().lstrip("/")
    base_of = PROJECT
    if options:
        assert options == ["--from=build"]
        assert others is not None
        base_of = others.root
    for source in sources:
        path = base_of / source.lstrip("/")
        where.mkdir(parents=True, exist_ok=True)
        if others is not None and base_of == others.root:
            subprocess.run(["cp", "-a", "--remove-destination", f"{path}/.", where], check=True)
        elif path.is_dir():
            shutil.copytree(path, where, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, where)
