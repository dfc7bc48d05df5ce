"""An API one can build on: what OpenAPI says is what happens, and a generated client can use it."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from linda_cli.server.auth import make
from tests.linda import NUMBER, World
from tests.server.served import Served

SECRET = "a secret of more than sixty-four bytes, which is what HS512 asks for too"
OTHER = "971505760057"
PINNED = ("schemathesis==4.32.5", "openapi-python-client==0.29.1")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    from linda_cli.sandbox.server import Sandbox

    home = tmp_path_factory.mktemp("api")
    sandbox = Sandbox(home / ".sandbox" / "stand-in")
    sandbox.start()
    world = World(home, sandbox)
    yield world
    world.end()


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Served]:
    with Served(world, "--linkings", "0", JWT_SECRET=SECRET) as server:
        server.token = make(SECRET, "root", "admin", 3600)
        yield server


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """schemathesis and openapi-python-client in an environment of their own, once for all workers: they ask for other
    versions of what linda uses."""
    shared = tmp_path_factory.getbasetemp().parent / "linda-api-tools"
    shared.mkdir(exist_ok=True)
    with open(shared / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "done").exists():
            subprocess.run([sys.executable, "-m", "venv", str(shared / "venv")], check=True, timeout=300)
            command = [str(shared / "venv" / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", *PINNED]
            subprocess.run(command, check=True, timeout=900, env=_clean())
            (shared / "done").touch()
    return shared / "venv" / "bin"


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def test_every_operation_is_typed_secured_and_fails_with_problem_details(server: Served) -> None:
    schema = json.loads(server.ask("GET", "/openapi.json").body)
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    open_ones = ("/livez", "/readyz", "/whatsapp/health", "/whatsapp/sign-in")
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            public = path in open_ones or path.startswith("/whatsapp/link")
            assert ("security" in operation) is not public, where
            for status, told in operation["responses"].items():
                if status.startswith("2") and status != "204":
                    content = next(iter(told["content"].items()))
                    assert content[0] != "application/json" or content[1]["schema"], where
                elif not status.startswith("2") and path not in open_ones[:3]:
                    assert list(told["content"]) == ["application/problem+json"], (where, status)
    assert "HTTPValidationError" not in json.dumps(schema)
    assert "/metrics" in schema["paths"]
    assert "/whatsapp/accounts/{client_id}" in schema["paths"]
    number = schema["paths"]["/whatsapp/session-status/{client_id}"]["get"]["parameters"][0]["schema"]
    assert "pattern" in number


def test_accounts_are_paged_filtered_and_labelled(server: Served) -> None:
    for at in range(7):
        body = {"number": str(971505761000 + at), "owner": "alice" if at % 2 else "bob", "label": f"Branch {at}"}
        made = server.ask("POST", "accounts", body)
        assert (made.status, made.headers["location"]) == (201, f"/whatsapp/accounts/{body['number']}")
        assert server.ask("POST", "accounts", body).status == 200
    found: list[str] = []
    cursor = ""
    while True:
        told = server.get(f"accounts?q=branch&limit=3{cursor}")
        found += [one["clientId"] for one in told["accounts"]]
        assert told["total"] == 7
        if told["nextCursor"] is None:
            break
        cursor = f"&cursor={told['nextCursor']}"
    assert found == [str(971505761000 + at) for at in range(7)]
    assert len(server.get("accounts?owner=alice")["accounts"]) == 3
    assert [one["label"] for one in server.get("accounts?q=branch%203")["accounts"]] == ["Branch 3"]
    assert [one["label"] for one in server.get("accounts?q=%2B97150576-1004")["accounts"]] == ["Branch 4"]
    assert server.get("accounts?status=ready")["accounts"] == []
    assert server.get("accounts?q=branch")["counts"] == {"active": 7}
    changed = server.ask("PATCH", "accounts/971505761003", {"label": "Front desk"})
    assert (changed.status, changed.json["label"]) == (200, "Front desk")
    for wrong in ({"limit": 0}, {"limit": 5000}, {"status": "asleep"}):
        query = "&".join(f"{key}={value}" for key, value in wrong.items())
        assert server.ask("GET", f"accounts?{query}").status == 400


def test_problems_are_written_for_who_sends_requests(server: Served) -> None:
    for method, path, body, title in (
        ("GET", "session-status/971500000000", None, "Account not found"),
        ("POST", "accounts", {}, "Invalid request"),
        ("POST", f"accounts/{OTHER}/backup", None, "Account not found"),
        ("POST", f"accounts/{OTHER}/restore", {"backup": "backup-1-1"}, "Backup not found"),
        ("POST", f"restore-session/{OTHER}", None, "Account not found"),
    ):
        server.ask("POST", "accounts", {"number": OTHER})
        told = server.ask(method, path, body).json
        assert told["title"] == title, told
        assert not told["hint"].startswith("linda "), told
        assert told["hint"].split(" ")[0] in ("GET", "POST", "DELETE"), told


def test_health_is_answered_to_head_http_1_0_and_any_name(server: Served) -> None:
    port = int(server.url.rsplit(":", 1)[1].strip("/"))
    for path in ("/livez", "/readyz", "/whatsapp/health"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("HEAD", path, headers={"Host": "10.0.0.7:80"})
        answered = connection.getresponse()
        assert (answered.status, answered.read()) == (200, b""), path
        connection.close()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
            line.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            assert b" 200 " in line.recv(200)
    assert server.get("/readyz")["reason"] is None
    assert server.get("/whatsapp/health")["database"] == "ok"


def test_a_generated_client_can_start_and_tell_failures_apart(server: Served, tools: Path, tmp_path: Path) -> None:
    schema = tmp_path / "openapi.json"
    schema.write_bytes(server.ask("GET", "/openapi.json").body)
    subprocess.run(
        [str(tools / "openapi-python-client"), "generate", "--path", str(schema), "--output-path", "made",
         "--meta", "none"],
        check=True, cwd=tmp_path, timeout=180, env={**_clean(), "PATH": f"{tools}:{os.environ['PATH']}"},
    )  # fmt: skip
    server.ask("POST", "accounts", {"number": NUMBER})
    script = f"""
import json, sys
from made import AuthenticatedClient
from made.api.accounts import start_account
from made.api.sessions import session_status
from made.api.backups import restore
from made import models
client = AuthenticatedClient({server.url.rstrip("/")!r}, {server.token!r})
started = start_account.sync_detailed({NUMBER!r}, client=client, body=models.Start(link_with=None))
status = session_status.sync_detailed({NUMBER!r}, client=client)
missing = session_status.sync_detailed("971500000000", client=client)
restored = restore.sync_detailed({NUMBER!r}, client=client, body=models.Restore())
print(json.dumps([
    [started.status_code, type(started.parsed).__name__, started.parsed.operation != ""],
    [status.status_code, type(status.parsed).__name__, status.parsed.client_id],
    [missing.status_code, type(missing.parsed).__name__, missing.parsed.name],
    [restored.status_code, type(restored.parsed).__name__],
]))
"""
    done = subprocess.run(
        [str(tools / "python"), "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        env=_clean(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    started, status, missing, restored = json.loads(done.stdout)
    assert started == [202, "StartedAnswer", True]
    assert status == [200, "AccountAnswer", NUMBER]
    assert missing == [404, "Problem", "SessionNotFound"]
    assert restored in ([422, "Problem"], [404, "Problem"])


def test_schemathesis_finds_nothing(server: Served, tools: Path, tmp_path: Path) -> None:
    """Its default checks, a bounded number of examples, on everything but what waits for a browser or ends tokens."""
    excluded = (
        "pairing-code",
        "/qr",
        "/backup$",
        "/stop",
        "/logout",
        "tokens/revoke",
        "sign-in",
        "/test",
        "/restore",
        "linking-links",
    )
    command = [
        str(tools / "schemathesis"), "run", f"{server.url}openapi.json", "-H", f"Authorization: Bearer {server.token}",
        "--max-examples", "8", "--generation-deterministic", "--request-timeout", "30", "--suppress-health-check",
        "all",
        "--exclude-path-regex", "|".join(excluded),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=540, check=False, env=_clean())
    assert done.returncode == 0, done.stdout[-6000:]
