"""What WhatsApp Web is called and where it keeps a login: plain data, imported by whoever needs a name.

Source: ``docs/whatsapp-web.md``. Nothing here runs, and nothing is imported.
"""

ORIGIN = "https://web.whatsapp.com"
"""The one origin whose storage carries the login."""

URL = ORIGIN + "/"

WID_KEY = "last-wid-md"
"""localStorage key whose value is the JSON string ``"<number>:<device>@c.us"``."""

NOISE_KEY = "WANoiseInfo"
"""localStorage key that the page's own test for "logged in" asks for beside ``WID_KEY``."""

SANDBOX_KEY = "linda-sandbox"
"""localStorage key that only linda's own stand-in sets, so that a sandbox login can never pass for a real one."""

INDEXED_DB = "https_web.whatsapp.com_0.indexeddb"
"""Chromium's folder name for the origin's IndexedDB, without ``.leveldb`` and ``.blob``."""
