"""What the system's errors say of a stream."""

from __future__ import annotations

import errno

GONE = (errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO, errno.ECONNRESET, errno.ESHUTDOWN)
"""Nobody reads any more, and nobody will: the reader has gone, the terminal has vanished, the stream was closed."""
