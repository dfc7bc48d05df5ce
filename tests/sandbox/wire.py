"""A page without a browser: speaks to the stand-in as its page does, for tests that need many of them."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import uuid
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class PretendPage:
    """Knows the wire and nothing else."""

    def __init__(self, port: int) -> None:
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self._port = port
        self._name = uuid.uuid4()
        self._down = self._connection()
        self._down.request("GET", f"/w/stream?page={self._name}")
        self._stream = self._down.getresponse()
        assert self._next()[0] == "hello"

    def ask(self, what: str, **body: object) -> dict[str, Any]:
        up = self._connection()
        up.request("POST", f"/w/{what}?page={self._name}", json.dumps(body))
        answer: dict[str, Any] = json.load(up.getresponse())
        up.close()
        return answer

    def code(self) -> str:
        return str(self.ask("code")["text"])

    def paired_as(self) -> str:
        event, facts = self._next()
        assert event == "pair"
        return str(facts["number"])

    def register(self) -> str:
        public = ec.generate_private_key(ec.SECP256R1()).public_key()
        key = base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
        answer = self.ask("register", key=key, noise="0" * 64, identity="1" * 64)
        assert "wid" in answer, answer
        return str(answer["wid"])

    def close(self) -> None:
        self._down.close()

    def _connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self._port, context=self._context, timeout=10)

    def _next(self) -> tuple[str, dict[str, Any]]:
        event = self._stream.readline().decode().removeprefix("event: ").strip()
        facts: dict[str, Any] = json.loads(self._stream.readline().decode().removeprefix("data: "))
        self._stream.readline()
        return event, facts
