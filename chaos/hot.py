"""Copies of a running browser are honest: its page writes as fast as it can, and every copy made meanwhile logs in.

The writer turns over a few megabytes of IndexedDB without a pause, so that LevelDB starts new logs, writes tables and
compacts them all the time; a copy is then put back, opened by Chromium, and its login proven to the stand-in's server.
"""

from __future__ import annotations

import random
import re
import time
from pathlib import Path
from typing import Any

from chaos.alive import SQLITE_TRIAL, copy_of, linked_once
from chaos.figures import Figures
from chaos.pieces import Piece
from linda_cli.browser.attach import find
from linda_cli.browser.devtools import DevTools, Tab, pages
from linda_cli.sessions.storage.formats import formats_of
from linda_cli.sessions.storage.paths import IDB_SQLITE
from linda_cli.sessions.storage.sqlite.database import opened_copy
from linda_cli.sessions.storage.sqlite.indexed_db import TABLES, file_name
from linda_cli.storage_format import StorageFormat
from tests.linda import NUMBER, Result, World

_FULL = 200
_ROUND = 20

_WRITER = """
(() => {
  const noise = (size) => {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
    return bytes;
  };
  const any = (most) => Math.floor(Math.random() * most);
  window.written = 0;
  // What IndexedDB has acknowledged: no copy that begins after may be without it.
  window.acknowledged = 0;
  const asked = indexedDB.open("model-storage");
  asked.onsuccess = () => {
    const turn = () => {
      const work = asked.result.transaction("message", "readwrite");
      const store = work.objectStore("message");
      for (let at = 0; at < 20; at++) store.put(noise(200 + any(4000)), `heavy-${any(1500)}`);
      for (let at = 0; at < 5; at++) store.delete(`heavy-${any(1500)}`);
      // Above 64 KiB a value gets a file of its own.
      if (any(50) === 0) store.put(noise(200000), `large-${any(8)}`);
      for (let at = 0; at < 5; at++) localStorage[`heavy-${any(200)}`] = String.fromCharCode(...noise(1000));
      const turns = window.acknowledged + 1;
      store.put(`acknowledged:${turns};`, "heavy-acknowledged");
      work.oncomplete = () => { window.written += 30; window.acknowledged = turns; turn(); };
      work.onabort = () => { window.written += 30; turn(); };
    };
    turn();
  };
})()
"""


def copies(base: Path, seed: int, count: int) -> Figures:
    """``count`` copies of one run under heavy writing, each put back and started."""
    chosen = random.Random(seed)
    figures = Figures()
    with copy_of(base) as world:
        made = _taken(world, chosen, count, figures)
        for at, backup in enumerate(made):
            complaints = _comes_back(world, str(backup["name"])) if backup else ["not made"]
            if backup and backup["cold"]:
                complaints.append("called cold")
            figures.count("hot copies, each restored and logged in", complaints, f"seed {seed}, copy {at}")
    return figures


def _taken(world: World, chosen: random.Random, count: int, figures: Figures) -> list[dict[str, Any] | None]:
    made: list[dict[str, Any] | None] = []
    with world.linda.start(NUMBER) as run:
        run.wait_for("saved")
        found = find(world.profile)
        assert found is not None
        devtools = DevTools(found.port.socket_url)
        (page,) = [one for one in pages(devtools) if "whatsapp" in str(one["url"])]
        tab = Tab(devtools, str(page["targetId"]))
        tab.call("Runtime.evaluate", expression=_WRITER)
        before = _written(tab)
        for at in range(count):
            # Some right after one another, some after a while: another moment of the page's own rhythm each time.
            time.sleep(chosen.choice([0.0, chosen.uniform(0.0, 0.6)]))
            acknowledged = _number(tab, "window.acknowledged")
            done = world.linda.run("backup", NUMBER, "--label", f"hot {at}", "--json")
            made.append(done.json["backup"] if done.code == 0 else None)
            if done.code:
                figures.stories.append(f"copy {at}: {_words(done)}")
            elif formats_of(world.profile).indexed_db is StorageFormat.SQLITE:
                kept = _acknowledged_in(world.cache / str(done.json["backup"]["name"]))
                late = [] if kept >= acknowledged else [f"{kept} in it, {acknowledged} before it began"]
                figures.count("hot copies no older than the moment they began", late, f"copy {at}")
            now = _written(tab)
            figures.count("the page wrote on meanwhile", [] if now > before else ["it stood still"], f"copy {at}")
            figures.seen["writes of the page meanwhile"] += now - before
            before = now
        devtools.close()
        run.stop()
    return made


def _written(tab: Tab) -> int:
    return _number(tab, "window.written")


def _number(tab: Tab, expression: str) -> int:
    return int(tab.call("Runtime.evaluate", expression=expression)["result"]["value"])


def _acknowledged_in(backup: Path) -> int:
    """The newest turn of the page that a copy holds. ``integrity_check`` has nothing against an older one."""
    with opened_copy(backup / IDB_SQLITE / file_name("model-storage"), TABLES) as connection:
        query = "SELECT value FROM records WHERE instr(value, CAST('acknowledged:' AS BLOB)) > 0"
        found = [re.search(rb"acknowledged:(\d+);", bytes(row[0])) for row in connection.execute(query)]
    return max((int(match[1]) for match in found if match), default=0)


def _comes_back(world: World, name: str) -> list[str]:
    """Complaints about one copy: it must be restored, and log in without a code."""
    restored = world.linda.run("restore", NUMBER, "--from", name, "--json")
    if restored.code:
        return [f"restore: {_words(restored)}"]
    with world.linda.start(NUMBER, "--once", "--no-link") as run:
        code = run.end(120)
    ready = run.all("ready")
    if code or not ready or ready[0]["source"] != "profile" or run.all("qr"):
        return [f"ended with {code}: {run.story()}"]
    return []


def _words(done: Result) -> str:
    return (done.err or done.out).strip()[-300:]


def pieces(seed: int) -> list[Piece]:
    """Ten rounds of twenty copies of a login in LevelDB, and as many of one in SQLite."""

    def piece(format_: str, trial: str, round_: int) -> Piece:
        return Piece(f"{format_} {round_}", 2 * _ROUND, lambda _: _round(seed + round_, trial))

    formats = {"LevelDB": "", "SQLite": SQLITE_TRIAL}
    return [piece(name, trial, round_) for round_ in range(_FULL // _ROUND) for name, trial in formats.items()]


def _round(seed: int, trial: str) -> Figures:
    with linked_once(trial) as base:
        figures = copies(base, seed, _ROUND)
    figures.planned = figures.ran
    return figures
