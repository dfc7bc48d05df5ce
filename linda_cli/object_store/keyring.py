"""Which key a session has in the store: remembered in the home, found in the store, or made."""

from __future__ import annotations

import json
from typing import Any

from linda_cli.errors import BackupUnusable, ObjectStoreKeyWrong
from linda_cli.object_store.bucket import Bucket
from linda_cli.object_store.keys import LARGEST_KEY, OpenKey, SessionKey, digest_of, new_key, open_key, parse_identities
from linda_cli.object_store.settings import RemoteSettings, read_identities
from linda_cli.sessions import together
from linda_cli.sessions.durable import write_whole
from linda_cli.sessions.home import Home
from linda_cli.sessions.state import read_json

KEY_FILE = "key.age"


class Keyring:
    """The keys of a home's sessions in one store. ``root``: where sessions are in the store."""

    def __init__(self, home: Home, bucket: Bucket, settings: RemoteSettings) -> None:
        self._home = home
        self._bucket = bucket
        self._settings = settings
        # Real and sandbox logins never meet, there neither.
        self.root = "sandbox/sessions" if home.is_sandbox else "sessions"

    def for_upload(self, number: str) -> SessionKey:
        """The key with which a session is uploaded; made where there is none for these recipients."""
        kept = self._kept(number)
        digest = digest_of(self._settings.recipients)
        # A store that was emptied has no key file: nobody could read what would go up under it.
        if kept is not None and kept.recipients == digest and self._is_there(kept):
            return kept
        if self._settings.identity is not None:
            known = [one.key for one in self._opened() if one.number == number and one.key.recipients == digest]
            if known:
                self._keep(number, known[0])
                return known[0]
        key, wrapped = new_key(number, self._settings.recipients)
        self._bucket.put(f"{self.root}/{key.id}/{KEY_FILE}", wrapped)
        self._keep(number, key)
        return key

    def for_reading(self, number: str | None) -> list[OpenKey]:
        """Every key of a session in the store; without a number of the only one there is.

        Raises ``ObjectStoreKeyWrong`` where there are sessions and none can be read, ``BackupUnusable`` where there is
        none of this number.
        """
        opened = self._opened()
        numbers = sorted({one.number for one in opened})
        if number is None and len(numbers) == 1:
            number = numbers[0]
        found = [one for one in opened if one.number == number]
        if not found:
            what = f"backup of {number}" if number is not None else "backup" if not numbers else "number was named"
            there = f"; it has {', '.join(numbers[:20])}" if numbers and number is None else ""
            raise BackupUnusable(
                f"there is no {what} in {self._bucket.url}{there}"
                if numbers == [] or number is not None
                else f"several numbers are in {self._bucket.url}, and none was named{there}",
                f"linda restore {numbers[0] if numbers else '971505760056'} --from-store --list",
                **({"session": number} if number is not None else {}),
            )
        return found

    def _opened(self) -> list[OpenKey]:
        identity = self._settings.identity
        assert identity is not None
        identities = parse_identities(read_identities(identity))

        def one(id_: str) -> OpenKey | None:
            data = self._bucket.get(f"{self.root}/{id_}/{KEY_FILE}", LARGEST_KEY)
            return open_key(id_, data, identities) if data is not None else None

        ids = self._bucket.folders(self.root)
        opened = [key for key in together.each(one, ids) if key is not None]
        if ids and not opened:
            raise ObjectStoreKeyWrong(
                f"the private key {identity} reads none of the {len(ids)} sessions in {self._bucket.url}",
                "linda config --changed",
            )
        return sorted(opened, key=lambda one: one.key.id)

    def _is_there(self, key: SessionKey) -> bool:
        return self._bucket.get(f"{self.root}/{key.id}/{KEY_FILE}", LARGEST_KEY) is not None

    # -- in the home

    def _stores(self, number: str) -> dict[str, Any]:
        try:
            said = read_json(self._home.remote_keys(number))
            stores = said["stores"]
        except (OSError, ValueError, KeyError, TypeError):
            # Missing or garbled: a key is found in the store, or made.
            return {}
        return stores if isinstance(stores, dict) else {}

    def _kept(self, number: str) -> SessionKey | None:
        return SessionKey.parse(self._stores(number).get(f"{self._bucket.url} {self.root}"))

    def _keep(self, number: str, key: SessionKey) -> None:
        stores = {**self._stores(number), f"{self._bucket.url} {self.root}": key.plain()}
        told = {"version": 1, "stores": stores}
        write_whole(self._home.remote_keys(number), json.dumps(told, indent=1).encode() + b"\n")
