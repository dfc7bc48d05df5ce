"""``python -m linda_cli.notifications.send``: hand one notice, read from stdin, to apprise. It says nothing itself."""

from __future__ import annotations

import json
import logging
import sys


def main() -> int:
    """0 where it was sent (or, with ``--check``, where the URL is known), 1 where it was not, 2 for an unknown URL."""
    # Its log would hold the URL.
    logging.disable(logging.CRITICAL)
    import apprise

    told = json.loads(sys.stdin.buffer.read(65536))
    service = apprise.Apprise()
    if not service.add(told["url"]):
        return 2
    if sys.argv[1:] == ["--check"]:
        return 0
    return 0 if service.notify(title=told["title"], body=told["body"]) else 1


if __name__ == "__main__":
    sys.exit(main())
