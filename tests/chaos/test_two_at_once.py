"""Many processes at one session in random order, some of them killed on the way; and two hosts at one home."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from chaos.crowd import crowd
from chaos.homes import NUMBER, home_at, make_profile, store_of
from linda_cli.errors import InUse
from linda_cli.lifecycle.stopping import stop_session
from linda_cli.lifecycle.world import Machine
from linda_cli.sessions import locks
from linda_cli.sessions.home import Home
from linda_cli.sessions.locks import holder_of

SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(1 << 30))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = home_at(tmp_path / "home")
    made.make()
    make_profile(made.named_profile(NUMBER))
    return made


def _run_of_another_host(home: Home, *, ago: float, host: str = "elsewhere", boot: str = "another boot") -> None:
    told = {"pid": 1, "command": "linda start", "run": True, "host": host, "bootId": boot, "beat": time.time() - ago}
    home.run_lock(NUMBER).write_text(json.dumps(told))
    (home.named_profile(NUMBER) / "SingletonLock").symlink_to(f"{host}-4711")


def test_a_few_hundred_operations_at_once_lose_nothing_and_never_hang() -> None:
    figures = crowd(SEED, 250)
    assert not figures.stories, (SEED, figures.stories)


def test_a_lock_dies_with_its_holder(home: Home) -> None:
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with store_of(home).run_lock(NUMBER, run=True), store_of(home).store_lock(NUMBER):
                os.write(tell, b".")
                time.sleep(60)
        finally:
            os._exit(0)
    os.read(ready, 1)
    with pytest.raises(InUse, match=f"pid {child}"), store_of(home).run_lock(NUMBER):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with store_of(home).run_lock(NUMBER), store_of(home).store_lock(NUMBER):
        pass


def test_stop_waits_for_a_restore_and_does_not_end_it(home: Home) -> None:
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with store_of(home).run_lock(NUMBER):
                os.write(tell, b".")
                time.sleep(0.5)
            code = 0
        finally:
            os._exit(code)
    os.read(ready, 1)
    assert stop_session(store_of(home), NUMBER).was_running is False
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("words", ["serve", "--home /srv/bots --quiet serve --port 80"])
def test_stop_does_not_end_a_server_with_all_its_other_sessions(
    home: Home, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["linda", *words.split()])
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with store_of(home).run_lock(NUMBER, run=True):
                os.write(tell, b".")
                time.sleep(60)
        finally:
            os._exit(0)
    os.read(ready, 1)
    with pytest.raises(InUse, match=f"linda serve, pid {child}") as refused:
        stop_session(store_of(home), NUMBER)
    assert refused.value.hint == f"curl -X POST http://127.0.0.1:8350/whatsapp/accounts/{NUMBER}/stop"
    assert os.waitpid(child, os.WNOHANG) == (0, 0), "it still runs"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_run_says_where_it_is_and_that_it_is_still_there(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "BEAT", 0.05)
    with store_of(home).run_lock(NUMBER, run=True):
        first = holder_of(home.run_lock(NUMBER))
        assert first is not None
        assert (first.pid, first.host, first.boot) == (os.getpid(), socket.gethostname(), locks.boot_id())
        time.sleep(0.3)
        then = holder_of(home.run_lock(NUMBER))
        assert then is not None
        assert then.beat > first.beat
    assert home.run_lock(NUMBER).read_bytes() == b""


def test_a_living_run_of_another_host_is_left_alone(home: Home) -> None:
    _run_of_another_host(home, ago=30)
    with pytest.raises(InUse, match="on elsewhere"), store_of(home).run_lock(NUMBER):
        pass
    assert not Machine(home).around(home.named_profile(NUMBER)).stale_lock
    with pytest.raises(InUse, match="elsewhere"):
        stop_session(store_of(home), NUMBER)


@pytest.mark.parametrize(
    ("ago", "boot"), [(61, "another boot"), (1, "")], ids=["not heard of for a minute", "a container on this kernel"]
)
def test_a_run_that_is_gone_keeps_nobody_out(home: Home, ago: float, boot: str) -> None:
    _run_of_another_host(home, ago=ago, boot=boot or locks.boot_id())
    assert Machine(home).around(home.named_profile(NUMBER)).stale_lock
    with store_of(home).run_lock(NUMBER, run=True):
        assert Machine(home).around(home.named_profile(NUMBER)).stale_lock


def test_a_host_that_was_booted_anew_is_itself(home: Home) -> None:
    _run_of_another_host(home, ago=5, host=socket.gethostname())
    with store_of(home).run_lock(NUMBER):
        pass
