"""Which object store, and with which age keys: taken apart and checked before anything is touched."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from linda_cli.errors import Misused
from linda_cli.object_store import requirements

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "file")
_LARGEST_KEY_FILE = 64 * 1024
_RECIPIENT = re.compile(r"age1[0-9a-z]{20,2500}|ssh-(?:ed25519|rsa) [A-Za-z0-9+/=]{20,2500}")
_KEY_FILE = "linda-store.key"


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """``url`` names the store. ``recipients``: age public keys, for which everything is encrypted. ``identity``: the
    file with the private key, needed only where something is read."""

    url: str
    recipients: tuple[str, ...]
    identity: Path | None = None


def remote_settings(
    url: str | None, environ: Mapping[str, str] = os.environ, *, reading: bool = False
) -> RemoteSettings | None:
    """``--remote``, else ``LINDA_REMOTE``, with ``LINDA_REMOTE_IDENTITY`` and ``LINDA_REMOTE_RECIPIENTS``; None where
    no store is named.

    Raises ``Misused`` for a URL or a key that is none, and where there is no key.
    """
    named = url if url is not None else environ.get("LINDA_REMOTE") or None
    if named is None:
        return None
    checked = _url(named)
    requirements.require()
    file = Path(environ["LINDA_REMOTE_IDENTITY"]).expanduser() if environ.get("LINDA_REMOTE_IDENTITY") else None
    recipients = _recipients(environ.get("LINDA_REMOTE_RECIPIENTS") or "")
    if file is not None:
        recipients = recipients or public_keys(file)
    elif reading:
        raise Misused(
            "reading from the object store needs its private key", f"export LINDA_REMOTE_IDENTITY=$PWD/{_KEY_FILE}"
        )
    if not recipients:
        raise Misused(
            "the backups in the object store are encrypted, and there is no key for that",
            f"linda keygen {_KEY_FILE} && export LINDA_REMOTE_IDENTITY=$PWD/{_KEY_FILE}",
        )
    return RemoteSettings(checked, recipients, file)


def _url(named: str) -> str:
    if "://" not in named:
        if not named or "\0" in named:
            raise Misused("--remote needs a URL or a folder", "linda backup --remote s3://bucket/linda")
        return Path(os.path.abspath(Path(named).expanduser())).as_uri()
    try:
        parts = urlsplit(named)
    except ValueError:
        raise Misused("--remote is no URL", "linda backup --remote s3://bucket/linda") from None
    if parts.scheme not in SCHEMES:
        raise Misused(
            f"{parts.scheme}:// is no object store that linda knows; it knows {', '.join(SCHEMES)}",
            "linda backup --remote s3://bucket/linda",
        )
    if parts.username or parts.password:
        # A command line is read by everybody on the machine.
        raise Misused(
            "the credentials of an object store come from the environment, never from its URL",
            "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…",
        )
    if parts.query or parts.fragment or (parts.scheme != "file" and not parts.netloc):
        raise Misused("an object store is a bucket and a path", "linda backup --remote s3://bucket/linda")
    return named.rstrip("/") if parts.path.strip("/") else named


def _recipients(text: str) -> tuple[str, ...]:
    found = [one.strip() for one in re.split(r"[,\n]", text) if one.strip()]
    for one in found:
        if _RECIPIENT.match(one) is None:
            raise Misused(
                "LINDA_REMOTE_RECIPIENTS has something that is no public key of age (age1… or ssh-ed25519 …)",
                f"grep public {_KEY_FILE}",
            )
    return tuple(dict.fromkeys(found))


def read_identities(path: Path) -> list[str]:
    """The private keys in a file as ``age-keygen`` writes it, one a line.

    Raises ``Misused`` for a file that cannot be read, or that others can.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise Misused(f"{path} is not a file", f"linda keygen {_KEY_FILE}")
            if status.st_mode & 0o077:
                raise Misused(f"others can read the private key {path}; it was not read", f"chmod 600 {path}")
            data = os.read(handle, _LARGEST_KEY_FILE)
        finally:
            os.close(handle)
    except OSError as problem:
        raise Misused(f"{path} cannot be read: {problem.strerror}", f"ls -l {path}") from None
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    found = [line for line in lines if line.startswith("AGE-SECRET-KEY-1")]
    if not found:
        raise Misused(f"{path} has no private key of age", f"linda keygen {_KEY_FILE}")
    return found


def public_keys(path: Path) -> tuple[str, ...]:
    """The public keys that belong to the private ones in a file. Raises ``Misused``."""
    import pyrage

    try:
        return tuple(str(pyrage.x25519.Identity.from_str(one).to_public()) for one in read_identities(path))
    except pyrage.IdentityError:
        raise Misused(f"{path} has a private key that is none", f"linda keygen {_KEY_FILE}") from None


def new_key(path: Path) -> str:
    """Write a new private key, mode 0600, where no file is yet; its public key. Raises ``Misused``."""
    requirements.require()
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    public = str(identity.to_public())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(handle, "w", encoding="ascii") as file:
            file.write(f"# public key: {public}\n{identity}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as problem:
        raise Misused(f"{path} cannot be made: {problem.strerror}", f"ls -l {path}") from None
    return public
