"""Who may read what linda writes: its owner; and what is never written at all."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest

from chaos.commands import lived
from chaos.homes import NUMBER, home_at, make_profile, store_of, write_keys
from linda_cli.errors import LindaError
from linda_cli.sessions import story_log
from tests.linda import Linda, World, flip

KEY = "vErYsEcReTnOiSeKeY0123456789"


def _everything_below(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277, 0o777], ids=oct)
def test_folders_are_0700_and_files_0600_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    # The profile is the browser's own; what linda makes of it is to be looked at.
    home = home_at(tmp_path / "home")
    make_profile(home.named_profile(NUMBER))
    before = os.umask(umask)
    try:
        store = store_of(home)
        store.save_state(NUMBER, is_linked=True)
        first = store.backup(NUMBER).backup.name
        store.quarantine_copy(NUMBER, store.profile(NUMBER), "a look")
        store.clear(NUMBER)
        store.restore(NUMBER, first)
        store.cleanup()
        story_log.append(home.session_log(NUMBER), {"event": "ready"})
    finally:
        os.umask(before)
    made = [
        home.state_file,
        home.session_log(NUMBER),
        home.sessions / f".run-{NUMBER}.lock",
        *_everything_below(home.named_profile(NUMBER)),
        *(
            one
            for one in _everything_below(home.cache)
            # A profile that is put aside by rename keeps the browser's own modes below its folder.
            if not one.relative_to(home.cache).parts[:1] or not one.relative_to(home.cache).parts[0].startswith("quar")
        ),
    ]
    for one in made:
        assert one.stat().st_mode & 0o777 == (0o700 if one.is_dir() else 0o600), (one, oct(one.stat().st_mode))


def test_no_key_is_in_any_message_log_or_traceback(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    lived(home)
    profile = home.named_profile(NUMBER)
    write_keys(profile, WANoiseInfo=KEY, WAAnother=KEY)
    store = store_of(home)
    said = [repr(store.info(NUMBER, deep=True)), repr(store.backup(NUMBER, "kept"))]
    for log in profile.rglob("*.log"):
        flip(log)
    for backup in home.stamped("backup", NUMBER):
        for log in home.at(backup).rglob("*.log"):
            flip(log)
    for act in (lambda: store.backup(NUMBER), lambda: store.restore(NUMBER), lambda: store.restorable(NUMBER)):
        try:
            said.append(repr(act()))
        except LindaError:
            said.append(traceback.format_exc())
    linda = Linda(home.root)
    for words in (["info", NUMBER, "--deep"], ["info", "--json"], ["backup", NUMBER, "--verbose"], ["cleanup"]):
        done = linda.run(*words)
        said.append(done.out + done.err)
    assert KEY not in "\n".join(said)
    texts = [home.state_file, *home.cache.glob("*.json"), *home.cache.glob("*/*.json"), *home.logs.glob("*")]
    for text in texts:
        assert KEY.encode() not in text.read_bytes(), text


def test_no_code_and_no_key_is_in_a_log_of_a_real_run(world: World) -> None:
    with world.linda.start("--once") as run:
        shown = run.wait_for("qr")["qr"]
        world.phone.scan()
        run.wait_for("stopped")
    logs = [one for one in (world.inner / "logs").rglob("*") if one.is_file()]
    assert logs
    for log in logs:
        assert log.stat().st_mode & 0o077 == 0, log
        text = log.read_bytes()
        assert shown.encode() not in text
        assert b"WANoiseInfo" not in text
