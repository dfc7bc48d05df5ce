"""The failures of linda, by name.

The core raises them; ``app`` maps them to exit codes and ``server`` to HTTP statuses, each by one table.

LindaError
├── Failed                  it was tried and did not work
│   ├── NotSaved            the login is ready and could not be saved in time
│   ├── HomeUnusable        the home cannot be written, or cannot be a home at all
│   │   └── DiskFull
│   ├── TooManyFiles        no more files may be open at once
│   ├── NoAnswer            something did not answer in time, or hung up
│   ├── NotAuthenticated    the server does not know who asks
│   ├── NotAllowed          the server knows, and this one may not
│   ├── TooManyTries        asked for too often
│   ├── Unavailable         not now: the database is away or locked, or too much is under way
│   ├── DatabaseFull        the database has no space left
│   ├── DatabaseTooNew      only a newer linda can use the database
│   ├── ObjectStoreUnavailable  the object store does not answer, or refuses
│   └── AlreadyLinked       a code for an account that is linked and ready
├── Misused                 invalid options or arguments
│   ├── BadNumber           not a WhatsApp number
│   ├── AmbiguousSession    several sessions, and none was named
│   ├── AnswerNeeded        a question, and nobody to ask
│   ├── ConfigurationInvalid  linda.toml has a key or a value that nobody knows
│   ├── ConfigurationUnsafe   linda.toml belongs to others, or others may write it
│   ├── RequestTooLarge     a request body over the limit
│   ├── RequestTooSlow      a request that did not arrive in time
│   └── WorldsApart         a sandbox login met a real run, or the other way round
├── NotReady                asked by ``info --check``, a session is not ready
├── PartlyDone              some of several things worked
├── NotFound                no such home, session or backup
│   ├── HomeNotFound
│   ├── SessionNotFound
│   ├── BackupNotFound
│   ├── ProfileNotFound     no profile of a browser where one was to be adopted
│   └── SandboxNotFound
├── InUse                   another process has it
├── ProfileDamaged          the login is damaged and nothing is left to restore
├── BackupUnusable          a backup is missing or corrupt
│   ├── ObjectStoreKeyWrong  the backups in the object store were encrypted for another key
│   └── WrongKey            the passphrase or the key does not open the file
├── BrowserFailed           the browser did not start, or died
│   ├── BrowserMissing
│   │   └── DriverMismatch  a ChromeDriver of another version than the browser
│   ├── BrowserSilent       it started and gave no sign of life
│   ├── BrowserTooOld       the profile was written by a newer one
│   ├── UnknownFormat       the login is kept in a format that this linda does not know
│   └── StoreUnreadable     the login's files cannot be read: a wrong owner, or a disk that fails
├── NotLinkedInTime         nobody scanned the code
├── LoggedOut               the device was unlinked, and linking is not possible here
├── Unreachable             WhatsApp Web did not become ready
│   └── Blocked             WhatsApp says no: banned, proxied, deprecated
├── PasskeyRequired         WhatsApp wants a passkey, and nobody can give one here
├── OtherAccount            another number was linked than was asked for
└── Interrupted             a person stopped it before it was done
"""

from __future__ import annotations

import errno


class LindaError(Exception):
    """A failure that was foreseen.

    ``message`` is one line for a person. ``hint`` is one line too, and where there is anything to do it holds a
    command that can be pasted. ``facts`` are what a script may want of it (never a secret).
    """

    def __init__(self, message: str, hint: str = "", **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts: dict[str, object] = facts

    @property
    def name(self) -> str:
        """The failure's name, as the JSON shapes spell it."""
        return type(self).__name__


class Failed(LindaError):
    """It was tried and did not work."""


class HomeUnusable(Failed):
    """The home cannot be written, is a file, or cannot be made."""


class NotSaved(Failed):
    """The login became ready, and no backup of it could be made in time. Nothing was moved."""


class DiskFull(HomeUnusable):
    """No space, or no quota, is left for what was to be written."""


class TooManyFiles(Failed):
    """The limit of files that may be open at once is reached."""


class NoAnswer(Failed):
    """Something that was asked did not answer in time, or hung up."""


class NotAuthenticated(Failed):
    """No token, or one that is expired, forged or of no use."""


class NotAllowed(Failed):
    """Who asked is known and may not."""


class TooManyTries(Failed):
    """Asked for too often.

    The fact ``retryAfter`` says in how many seconds it may be asked again.
    """


class Unavailable(Failed):
    """The server cannot do this now.

    The fact ``retryAfter`` says in how many seconds it may be tried again.
    """


class DatabaseFull(Failed):
    """The accounts' database has no space left."""


class DatabaseTooNew(Failed):
    """The accounts' database was changed by a newer linda."""


class ObjectStoreUnavailable(Failed):
    """The object store did not answer, or refused. What is there is unknown, and nothing was changed here."""


class AlreadyLinked(Failed):
    """The account is linked and ready."""


class Misused(LindaError):
    """Invalid options or arguments; nothing was touched."""


class BadNumber(Misused):
    """Not a WhatsApp number: 7 to 15 digits, no leading zero."""


class AmbiguousSession(Misused):
    """There are several sessions and none was named."""


class AnswerNeeded(Misused):
    """A question would have to be asked and there is no terminal to ask it on."""


class ConfigurationInvalid(Misused):
    """``linda.toml`` is no TOML, or has a key or a value that nobody knows."""


class ConfigurationUnsafe(Misused):
    """``linda.toml`` belongs to somebody else, or others may write it. It was not read."""


class RequestTooLarge(Misused):
    """The request body is too large."""


class RequestTooSlow(Misused):
    """The request did not arrive in time."""


class WorldsApart(Misused):
    """A sandbox login and a real one never meet."""


class NotReady(LindaError):
    """A session is not ready; only asked, nothing was tried."""


class PartlyDone(LindaError):
    """Some of several things worked, some did not."""


class NotFound(LindaError):
    """No such home, session or backup."""


class HomeNotFound(NotFound):
    """No home where it was looked for."""


class SessionNotFound(NotFound):
    """A number with no folder, no backup and no state."""


class BackupNotFound(NotFound):
    """No backup of that name."""


class ProfileNotFound(NotFound):
    """No browser's profile, or none with a login, where one was to be adopted."""


class SandboxNotFound(NotFound):
    """No sandbox serves this home."""


class InUse(LindaError):
    """Another process holds the session, the store or the profile."""


class ProfileDamaged(LindaError):
    """The login on disk is damaged and nothing is left to restore."""


class BackupUnusable(LindaError):
    """A backup is missing or corrupt, so that it cannot be restored."""


class ObjectStoreKeyWrong(BackupUnusable):
    """The backups in the object store cannot be read with the private key that was given."""


class WrongKey(BackupUnusable):
    """The passphrase, or the private key, does not open an exported file."""


class BrowserFailed(LindaError):
    """The browser did not start, or died."""


class BrowserMissing(BrowserFailed):
    """No Chromium, or no ChromeDriver, was found."""


class DriverMismatch(BrowserMissing):
    """The ChromeDriver that is here is for browsers of another major version."""


class BrowserSilent(BrowserFailed):
    """The browser started and gave no sign of life."""


class BrowserTooOld(BrowserFailed):
    """The profile was written by a newer Chromium, which an older one must not open."""


class UnknownFormat(BrowserFailed):
    """The login is kept in a format that this linda does not know. It is not damaged, and nothing was moved."""


class StoreUnreadable(BrowserFailed):
    """The login's files cannot be read or written: a wrong owner, or a disk that fails. Nothing was moved."""


class NotLinkedInTime(LindaError):
    """The time for linking passed and nobody had scanned the code."""


class LoggedOut(LindaError):
    """The device was unlinked; linking was not wanted, or there is nowhere to show a code."""


class Unreachable(LindaError):
    """WhatsApp Web could not be reached, or was not ready in time."""


class Blocked(Unreachable):
    """WhatsApp refuses this client or this account for now."""


class PasskeyRequired(LindaError):
    """WhatsApp asks for a passkey, which a headless browser cannot give."""


class OtherAccount(LindaError):
    """Another number was linked than the one asked for."""


class Interrupted(LindaError):
    """A person stopped it before it was done."""


def named(trouble: OSError, command: str) -> LindaError:
    """What the system's own error means, as far as nobody nearer to it has said so. ``command``: what was typed."""
    what = f"{trouble.filename}: " if trouble.filename else ""
    said = " ".join(str(trouble.strerror or trouble).split()) or type(trouble).__name__
    if trouble.errno in (errno.EMFILE, errno.ENFILE):
        return TooManyFiles(f"{what}too many files are open", f"ulimit -n 4096; {command}")
    # Before the disk: both are errors of the system in Python's tree, and say nothing of any file.
    if isinstance(trouble, TimeoutError):
        return NoAnswer(f"{what}no answer in time ({said})", f"{command} --verbose")
    if isinstance(trouble, ConnectionError):
        return NoAnswer(f"{what}the connection was lost ({said})", f"{command} --verbose")
    if trouble.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"{what}{said}", "df -h .")
    return HomeUnusable(f"{what}{said}", "df -h .; ls -ld .")
