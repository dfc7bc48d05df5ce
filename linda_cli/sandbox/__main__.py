"""``python -m linda_cli.sandbox FOLDER``: serve until told to stop."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from linda_cli.errors import LindaError
from linda_cli.sandbox.server import Sandbox, Timing

_LOOK_EVERY = 0.5


def main() -> int:
    """Print one line of JSON when up; end at SIGTERM, SIGINT, or with the parent."""
    parser = argparse.ArgumentParser(prog="python -m linda_cli.sandbox", description="A stand-in for WhatsApp Web.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--timing", nargs="*", default=[], metavar="NAME=SECONDS")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this process has gone")
    given = parser.parse_args()
    done = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: done.set())
    try:
        timing = Timing().with_fields(dict(word.partition("=")[::2] for word in given.timing))
        with Sandbox(given.folder, timing=timing, port=given.port, control_port=given.control_port) as sandbox:
            print(json.dumps({"controlUrl": sandbox.control_url, "pid": os.getpid()}), flush=True)
            while not done.wait(_LOOK_EVERY if given.parent else None):
                if _has_gone(given.parent):
                    # It was killed, and its browsers live on: they are to find their way back.
                    sandbox.stop(keep_ports=True)
                    break
    except LindaError as wrong:
        print(wrong.message, file=sys.stderr)
        return 1
    return 0


def _has_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # A dead process that nobody has asked after still has a number.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except ProcessLookupError:
        return True
    except OSError:
        return False


if __name__ == "__main__":
    raise SystemExit(main())
