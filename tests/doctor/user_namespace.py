"""``python user_namespace.py COMMAND…``: the command as root of a user namespace that has all users of this machine.

The kernel counts and limits namespaces and inotify for each user namespace: its settings in ``/proc/sys/user`` are its
own. ``unshare`` can map many users only with the programs of another package.
"""

from __future__ import annotations

import ctypes
import os
import sys

_NEW_USERS = 0x10000000
_NEW_MOUNTS = 0x00020000


def main(command: list[str]) -> None:
    """Become the command, or its parent."""
    ready, mapped = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USERS | _NEW_MOUNTS):
            os._exit(97)
        os.write(ready[1], b"r")
        os.read(mapped[0], 1)
        os.setgid(0)
        os.setuid(0)
        os.execvp(command[0], command)
    os.close(ready[1])
    if os.read(ready[0], 1):
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{child}/{name}", "w") as file:
                file.write("0 0 65536\n")
    os.write(mapped[1], b"m")
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
