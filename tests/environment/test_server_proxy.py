"""A proxy of its own for an account of a server."""

from __future__ import annotations

import json

from tests.environment.proxies import proxy
from tests.environment.test_account_proxy import PASSWORD, WRITTEN, everything_of, url
from tests.linda import NUMBER, World
from tests.server.served import Served


def test_an_accounts_browser_goes_by_its_proxy_and_no_answer_has_the_password(linked: World) -> None:
    with proxy(user="ada", password=PASSWORD) as made, Served(linked) as server:
        server.until(lambda one: one["isReady"])
        assert made.asked == []
        changed = server.ask("PATCH", f"accounts/{NUMBER}", {"proxy": url(made, "socks5")})
        assert (changed.status, changed.json["proxy"]) == (200, f"socks5://127.0.0.1:{made.port}")
        server.post(f"accounts/{NUMBER}/stop")
        server.until(lambda one: not one["up"])
        server.post(f"accounts/{NUMBER}/start", {"linkWith": None})
        server.until(lambda one: one["isReady"])
        assert set(made.asked) == {f"127.0.0.1:{linked.sandbox.port}"}
        seen = everything_of(linked) + json.dumps([server.get("accounts"), server.status(), server.events])
        assert WRITTEN not in seen
        assert PASSWORD not in seen
        for malformed in (
            "http://ada:secret@:1",
            "secret",
            "ftp://x",
            "http://u:secret@x/y",
            "x" * 5000 + "secret",
        ):
            refused = server.ask("PATCH", f"accounts/{NUMBER}", {"proxy": malformed})
            assert refused.status in (400, 422), refused
            assert b"secret" not in refused.body
        assert server.ask("PATCH", f"accounts/{NUMBER}", {"proxy": ""}).json["proxy"] is None
        assert WRITTEN not in everything_of(linked) + "".join(server.errors)
