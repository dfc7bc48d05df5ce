"""Copies of a running browser are honest: its page writes as fast as it can, and every copy made meanwhile logs in.

The writer turns over a few megabytes of IndexedDB without a pause, so that LevelDB starts new logs, writes tables and
compacts them all the time; a copy is then put back, opened by Chromium, and its login proven to the stand-in's server.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

from chaos.alive import copy_of, linked_once
from chaos.figures import Figures
from chaos.pieces import Piece
from linda_cli.browser.attach import find
from linda_cli.browser.devtools import DevTools, Tab, pages
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
      work.oncomplete = work.onabort = () => { window.written += 30; turn(); };
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
            done = world.linda.run("backup", NUMBER, "--label", f"hot {at}", "--json")
            made.append(done.json["backup"] if done.code == 0 else None)
            if done.code:
                figures.stories.append(f"copy {at}: {_words(done)}")
            now = _written(tab)
            figures.count("the page wrote on meanwhile", [] if now > before else ["it stood still"], f"copy {at}")
            figures.seen["writes of the page meanwhile"] += now - before
            before = now
        devtools.close()
        run.stop()
    return made


def _written(tab: Tab) -> int:
    return int(tab.call("Runtime.evaluate", expression="window.written")["result"]["value"])


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
    """Ten rounds of twenty copies."""

    def piece(round_: int) -> Piece:
        return Piece(f"round {round_}", 2 * _ROUND, lambda _: _round(seed + round_))

    return [piece(round_) for round_ in range(_FULL // _ROUND)]


def _round(seed: int) -> Figures:
    with linked_once() as base:
        figures = copies(base, seed, _ROUND)
    figures.planned = figures.ran
    return figures
