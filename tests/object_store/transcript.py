"""The transcript of docs/object-store.md, made by running its commands: ``python -m tests.object_store.transcript``."""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from pathlib import Path

from chaos.homes import NUMBER, home_at, make_profile
from tests.linda import COMMAND

PAGE = Path(__file__).parents[2] / "docs" / "object-store.md"
BEGIN, END = (
    "<!-- transcript: python -m tests.object_store.transcript -->\n```console\n",
    "```\n<!-- end of transcript -->",
)

COMMANDS = (
    "linda keygen linda-store.key",
    "export LINDA_REMOTE_IDENTITY=$PWD/linda-store.key LINDA_REMOTE=$PWD/nas",
    f"linda backup {NUMBER}",
    f"linda backup {NUMBER}",
    f"linda --home new-machine restore {NUMBER} --from-store --list",
    f"linda --home new-machine restore {NUMBER} --from-store",
    f"linda --home new-machine info {NUMBER}",
)


def made(folder: Path) -> str:
    """Run the commands in one shell in ``folder``, where a home with a login is; what a person sees."""
    home = home_at(folder)
    home.make()
    make_profile(home.named_profile(NUMBER))
    script = [f'linda() {{ {shlex.join(COMMAND)} "$@" 2>&1; }}']
    for command in COMMANDS:
        script += [f"echo {shlex.quote(f'$ {command}')}", command]
    done = subprocess.run(
        ["bash", "-euc", "\n".join(script)], cwd=folder, capture_output=True, text=True, check=True, timeout=120
    )
    return steady(done.stdout.replace(str(folder), "/srv/bots"))


def steady(text: str) -> str:
    """What differs from one run to the next, made the same."""
    text = re.sub(r"age1[0-9a-z]{58}", "age1vz5k6ycmtrqlt3ygsgxuwrlqa8kdvw3jwydenf2cmc9w4cqgfqxs4yeq2j", text)
    text = re.sub(r"(backup|quarantine)-(\d+)-\d{13}", r"\1-\2-1764000000000", text)
    text = re.sub(r"\d+\.\d+ s\b", "0.10 s", text)
    text = re.sub(r"\d+(\.\d+)? (B|kB|KB|KiB)\b", "12 kB", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "2026-11-25 12:00", text)
    return re.sub(r"\b(just now|\d+ seconds? ago|an? \w+ ago)", "just now", text)


def on_the_page() -> str:
    """The transcript that the page has now."""
    return PAGE.read_text().split(BEGIN)[1].split(END)[0]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        new = made(Path(place))
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + new + END + rest.split(END)[1])
    print(new)
