"""How long it takes to save a large login, and what looking at one costs."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import linda_cli
from benchmarks.rows import Measure, Row, side_by_side, timed
from benchmarks.scene import NUMBER, Scene
from linda_cli.sessions.login_files import login_files


def rows(there: Scene, peers: Path | None) -> list[Row]:
    """Rows of a backup, a restore and a look, on a login of 40 MB."""
    there.grow(40)
    which = " in SQLite" if there.trial else ""
    store = linda_cli.Store(there.inner)
    files = [there.profile / name for name in login_files(there.profile)]
    size = there.login_size
    print(f"the login has {size / 1e6:.0f} MB in {len(files)} files", flush=True)
    copy = there.home / "copy"

    def backup() -> float:
        for stamped in store.home.stamped("backup", NUMBER):
            shutil.rmtree(store.home.at(stamped))
        began = time.perf_counter()
        assert store.backup(NUMBER).is_new
        return time.perf_counter() - began

    def plain_copy() -> float:
        shutil.rmtree(copy, ignore_errors=True)
        began = time.perf_counter()
        copy_files(there.profile, files, copy)
        return time.perf_counter() - began

    def unchanged() -> float:
        began = time.perf_counter()
        assert not store.backup(NUMBER).is_new
        return time.perf_counter() - began

    # Younger than two seconds its logs are hashed, as nobody could tell otherwise that they are what they were.
    time.sleep(2.5)
    return [
        side_by_side(
            f"a backup of a {size / 1e6:.0f} MB login{which}, in process, verified and fsynced",
            "`cp -r` of the same files, neither verified nor synced",
            float("inf"),
            backup,
            plain_copy,
        ),
        side_by_side(
            f"a backup of it{which} when nothing changed for two seconds",
            "`cp -r` of the same files",
            0.3,
            unchanged,
            plain_copy,
        ),
        *(remote_auth(there, peers, backup, lambda: restore(store), which) if peers else ()),
        side_by_side(
            f"the everyday look at a healthy {size / 1e6:.0f} MB login{which}",
            "reading those files",
            3.0,
            timed(lambda: store.look(NUMBER)),
            timed(lambda: [one.read_bytes() for one in files]),
        ),
        side_by_side(
            f"the deep look at it{which}",
            "reading those files",
            float("inf"),
            timed(lambda: store.look(NUMBER, deep=True)),
            timed(lambda: [one.read_bytes() for one in files]),
        ),
    ]


def restore(store: linda_cli.Store) -> float:
    """Seconds to put the newest backup in the profile's place; what was aside goes, unmeasured."""
    began = time.perf_counter()
    store.restore(NUMBER)
    taken = time.perf_counter() - began
    for stamped in store.home.stamped("quarantine", NUMBER):
        shutil.rmtree(store.home.at(stamped))
    return taken


def remote_auth(there: Scene, peers: Path, backup: Measure, restored: Measure, which: str) -> list[Row]:
    """Beside RemoteAuth of whatsapp-web.js: its own functions on the same files, in a node that is up already."""
    login = there.home / "remote-auth" / "login"
    login.parent.mkdir()
    for name in login_files(there.profile):
        (login / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(there.profile / name, login / name)
    environ = {**os.environ, "BENCH_NPM": str(peers), "BENCH_LOGIN": str(login), "BENCH_DATA": str(login.parent)}
    with subprocess.Popen(
        ["node", str(Path(__file__).parent / "peers" / "remote_auth.js")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
    ) as node:
        assert node.stdin is not None
        assert node.stdout is not None

        def ask(word: str) -> float:
            node.stdin.write(f"{word}\n")
            node.stdin.flush()
            told = node.stdout.readline()
            # unzipper looks for the end of a file by four bytes, which random records have in them once in a while.
            assert told, f"RemoteAuth could not {word} its own archive of this login; run again for another one"
            return float(told)

        made = [
            side_by_side(
                f"a backup of it{which}, in process, verified and fsynced",
                "`RemoteAuth` compressing the same files",
                0.15,
                backup,
                lambda: ask("compress"),
            ),
            side_by_side(
                f"a restore of it{which}, verified, the profile before it kept aside",
                "`RemoteAuth` uncompressing them",
                0.3,
                restored,
                lambda: ask("uncompress"),
            ),
        ]
        node.stdin.close()
    return made


def copy_files(root: Path, files: list[Path], target: Path) -> None:
    """``cp -r`` of exactly these files."""
    target.mkdir()
    names = [str(one.relative_to(root)) for one in files]
    subprocess.run(["cp", "--parents", *names, str(target)], cwd=root, check=True)
