"""Tokens: rotation, revocation, for one number, read-only, and one-time links."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jwt
import pytest

from linda_cli.errors import Misused
from linda_cli.server.auth import check_owner, make, read_secrets
from tests.linda import NUMBER, Linda, World
from tests.server.served import Client, Served

SECRET = "a secret of more than sixty-four bytes, which is what HS512 asks for too"
BEFORE = "the secret before it, of more than sixty-four bytes, which is good for a while"
OTHER = "971505760057"
Connect = Callable[..., Client]


def token(owner: str, role: str = "user", seconds: float = 600, **more: object) -> str:
    return make(SECRET, owner, role, seconds, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    from linda_cli.sandbox.server import Sandbox

    home = tmp_path_factory.mktemp("tokens")
    sandbox = Sandbox(home / ".sandbox" / "stand-in")
    sandbox.start()
    world = World(home, sandbox)
    yield world
    world.end()


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Served]:
    with Served(world, JWT_SECRET=SECRET, JWT_SECRET_PREVIOUS=BEFORE) as server:
        for number, owner in ((NUMBER, "alice"), (OTHER, "alice")):
            server.post("accounts", {"number": number}, token=token(owner))
        yield server


def test_two_secrets_are_accepted_while_tokens_are_replaced(server: Served) -> None:
    for secret, status in (
        (SECRET, 200),
        (BEFORE, 200),
        ("neither of the two, and long enough to be one of them", 401),
    ):
        assert server.ask("GET", "accounts", token=make(secret, "alice", "user", 60)).status == status


def test_secrets_come_from_a_file_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    path.write_text(f"{SECRET}\n{BEFORE}\n\n")
    assert read_secrets({"JWT_SECRET_FILE": str(path), "JWT_SECRET": "not this"}) == (SECRET, BEFORE)
    assert read_secrets({"JWT_SECRET": SECRET, "JWT_SECRET_PREVIOUS": BEFORE}) == (SECRET, BEFORE)
    assert read_secrets({"JWT_SECRET": "  "}) == read_secrets({}) == ()
    path.write_text("\n")
    for wrong in (path, tmp_path / "nowhere"):
        with pytest.raises(Misused):
            read_secrets({"JWT_SECRET_FILE": str(wrong)})
    made = Linda(tmp_path / "home").run("token", "--owner", "alice", JWT_SECRET_FILE=str(wrong))
    assert made.code == 2


def test_expiry_ends_sockets(server: Served, client: Connect) -> None:
    user = client(server)
    assert "problem" not in user.init(token=token("alice", seconds=3))
    user.wait_for("client_disconnect", timeout=15)


def test_a_revoked_token_is_refused_and_its_socket_ends_within_a_second(
    server: Served, world: World, client: Connect
) -> None:
    carol, dave = token("carol"), token("dave")
    user, other = client(server), client(server)
    user.init(token=carol)
    other.init(token=dave)
    id_ = str(jwt.decode(carol, options={"verify_signature": False})["jti"])
    done = Linda(world.home).run("token", "revoke", "--id", id_, "--sandbox")
    began = time.monotonic()
    assert done.code == 0, done
    user.wait_for("client_disconnect", timeout=10)
    assert time.monotonic() - began < 2
    assert server.ask("GET", "accounts", token=carol).json["detail"] == "the token was revoked"
    assert server.ask("GET", "accounts", token=dave).status == 200
    time.sleep(1.1)
    assert Linda(world.home).run("token", "revoke", "--owner", "dave", "--sandbox", "--json").json["revoked"] == "owner"
    other.wait_for("client_disconnect", timeout=10)
    assert server.ask("GET", "accounts", token=dave).status == 401
    time.sleep(1.1)
    # What is made after that is good again.
    assert server.ask("GET", "accounts", token=token("dave")).status == 200
    # A token of before there were ids and times is the owner's as well.
    old = jwt.encode({"sub": "dave", "exp": time.time() + 60}, SECRET, "HS256")
    assert server.ask("GET", "accounts", token=old).status == 401


def test_revoke_says_what_it_needs(tmp_path: Path) -> None:
    linda = Linda(tmp_path / "home")
    for words in (
        ["token", "revoke"],
        ["token", "revoke", "--owner", "a", "--id", "b"],
        ["token", "revoke", "--id", "b"],
    ):
        assert linda.run(*words).code == 2


def test_a_token_for_one_number_opens_that_one_only(server: Served, client: Connect) -> None:
    one = token("alice", number=NUMBER)
    assert [account["clientId"] for account in server.get("accounts", token=one)["accounts"]] == [NUMBER]
    assert server.ask("GET", f"session-status/{OTHER}", token=one).status == 404
    for method, path, body in (
        ("POST", f"accounts/{OTHER}/start", None),
        ("POST", "accounts", {"number": "971505760059"}),
    ):
        assert server.ask(method, path, body, token=one).status in (403, 404)
    user = client(server)
    assert user.init(token=one, link=False)["clientId"] == NUMBER


def test_a_read_only_token_changes_nothing(server: Served) -> None:
    reader = token("alice", read_only=True)
    assert len(server.get("accounts", token=reader)["accounts"]) == 2
    for method, path, body in (
        ("POST", f"accounts/{NUMBER}/start", None), ("POST", f"accounts/{NUMBER}/stop", None),
        ("POST", f"accounts/{NUMBER}/logout", None),
        ("POST", f"accounts/{NUMBER}/backup", None), ("POST", f"accounts/{NUMBER}/restore", None),
        ("POST", f"accounts/{NUMBER}/pairing-code", None), ("POST", f"accounts/{NUMBER}/linking-links", None),
        ("PATCH", f"accounts/{NUMBER}", {"label": "x"}), ("DELETE", f"accounts/{NUMBER}", None),
        ("POST", "accounts", {"number": "971505760059"}), ("POST", "webhooks", {"url": "https://example.org/"}),
        ("POST", "tokens", {}), ("GET", f"accounts/{NUMBER}/qr", None),
    ):  # fmt: skip
        answered = server.ask(method, path, body, token=reader)
        assert (answered.status, answered.json["name"]) == (403, "NotAllowed"), path


def test_tokens_are_made_and_revoked_over_rest(server: Served) -> None:
    alice = token("alice")
    made = server.post("tokens", {"number": NUMBER, "readOnly": True, "expiresIn": 3600}, token=alice)
    assert server.get("me", token=made["token"]) | {"linda": ""} == {
        "version": 1, "owner": "alice", "role": "user", "number": NUMBER, "readOnly": True,
        "expiresAt": server.get("me", token=made["token"])["expiresAt"], "needsToken": True, "linda": "",
        "owners": ["alice"],
    }  # fmt: skip
    # It lasts no longer than what made it.
    assert made["expiresAt"] <= server.get("me", token=alice)["expiresAt"]
    assert server.ask("POST", "tokens", {"owner": "bob"}, token=alice).status == 403
    assert server.ask("POST", "tokens", {"role": "admin"}, token=alice).status == 403
    assert server.ask("POST", "tokens", {"owner": "bob"}, token=token("root", "admin")).status == 201
    assert server.ask("DELETE", f"tokens/{made['id']}", token=alice).status == 204
    assert server.ask("GET", "accounts", token=made["token"]).status == 401


def test_a_sign_in_link_works_once_and_for_a_quarter_of_an_hour(server: Served, world: World) -> None:
    made = (
        Linda(world.home)
        .run("token", "--link", "--owner", "alice", "--url", server.url, "--json", JWT_SECRET=SECRET)
        .json
    )
    where, _, secret = made["link"].partition("#sign-in=")
    assert where == server.url
    claims = jwt.decode(secret, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 900
    # It is no token.
    assert server.ask("GET", "accounts", token=secret).status == 401
    signed = server.ask("POST", "sign-in", {"link": secret})
    assert (signed.status, signed.headers["cache-control"]) == (200, "no-store")
    assert server.get("me", token=signed.json["token"])["owner"] == "alice"
    for used in (secret, make(SECRET, "alice", "user", -1, audience="linda-sign-in"), token("alice"), "nonsense"):
        refused = server.ask("POST", "sign-in", {"link": used})
        assert (refused.status, refused.json["detail"]) == (401, "this link was used or has expired")
    revoked = Linda(world.home).run("token", "--link", "--owner", "alice", "--json", JWT_SECRET=SECRET).json
    assert Linda(world.home).run("token", "revoke", "--id", revoked["id"], "--sandbox").code == 0
    time.sleep(1)
    assert server.ask("POST", "sign-in", {"link": revoked["link"].partition("=")[2]}).status == 401


def test_a_linking_link_shows_one_numbers_code_and_nothing_else(server: Served, world: World) -> None:
    alice = token("alice")
    made = server.post(f"accounts/{NUMBER}/linking-links", {"expiresIn": 600}, token=alice)
    path, _, secret = made["path"].partition("#")
    assert path == "/link"
    assert server.ask("GET", "accounts", token=secret).status == 401
    opened = server.ask("POST", "link", {"link": secret})
    assert (opened.status, opened.json["clientId"], opened.headers["cache-control"]) == (200, NUMBER, "no-store")
    session = opened.json["token"]
    assert server.ask("POST", "link", {"link": secret}).status == 401, "once"
    for method, asked in (
        ("GET", "accounts"),
        ("GET", f"session-status/{NUMBER}"),
        ("POST", f"accounts/{NUMBER}/start"),
    ):
        assert server.ask(method, asked, token=session).status == 401
    assert server.post("link/start", {"link": session})["state"] in ("starting", "code")
    deadline = time.monotonic() + 30
    while server.post("link/state", {"link": session})["state"] != "code":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert server.ask("POST", "link/qr.png", {"link": session}).body.startswith(b"\x89PNG")
    world.phone.scan(NUMBER)
    while server.post("link/state", {"link": session})["state"] != "linked":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert server.status(token=alice)["isReady"]
    # Taken back, it is no good at once.
    assert server.ask("DELETE", f"accounts/{NUMBER}/linking-links/{made['id']}", token=alice).status == 204
    assert server.ask("POST", "link/state", {"link": session}).status == 401
    server.post(f"accounts/{NUMBER}/stop", token=alice)


@pytest.mark.parametrize("owner", ["", " ", " alice", "alice ", "a" * 65, "a\nb", "a\x00", "a\u200bb", "\ud800"])
def test_an_owner_is_a_name_of_visible_characters(owner: str, server: Served) -> None:
    with pytest.raises(Misused):
        check_owner(owner)
    if "\ud800" not in owner:
        body = {"number": "971505760099", "owner": owner}
        assert server.ask("POST", "accounts", body, token=token("root", "admin")).status == 400


def test_a_subject_with_half_a_surrogate_pair_is_401(server: Served) -> None:
    import base64
    import hashlib
    import hmac

    def part(value: str) -> str:
        return base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")

    head = part(json.dumps({"alg": "HS256", "typ": "JWT"}))
    body = part(json.dumps({"sub": "a\ud800", "exp": int(time.time() + 60)}))
    signed = hmac.new(SECRET.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    forged = f"{head}.{body}.{base64.urlsafe_b64encode(signed).decode().rstrip('=')}"
    assert server.ask("GET", "accounts", token=forged).status == 401
