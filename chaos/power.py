"""A power cut: what was not synced may be gone, and what was renamed may not be.

A command is recorded call by call. Then for every prefix of the record several disks are thought up that a file system
may leave, each is laid out for real, and the next command has to cope with it:

* *names without bytes*: every name has reached the disk, no byte that was not synced has (the file is empty);
* *only what was synced*: no name, and no byte, that no fsync vouched for;
* *by chance*: of every folder a random prefix of its changes, of every unsynced file a random part.

A rename between two folders is taken for one step, durable with either folder's fsync, as journals do it.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.commands import COMMANDS, Command, Stage
from chaos.figures import Figures
from chaos.homes import home_at, store_of
from chaos.layer import Real, laid_over
from chaos.pieces import Piece
from chaos.steps import copied, staged
from chaos.survey import survey

Variant = str
VARIANTS: tuple[Variant, ...] = ("names without bytes", "only what was synced", "by chance")


@dataclass
class Node:
    """A file or a folder that is or was there. ``names`` None: a file."""

    names: dict[str, int] | None
    data: bytes = b""
    mtime: float = 0.0
    link: str | None = None


@dataclass(frozen=True)
class Op:
    """One change. An fsync of one of ``folders`` makes it durable; ``node``: the file written or folder synced."""

    kind: str
    folders: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    node: int = 0
    at: int = 0
    data: bytes = b""
    moment: float = 0.0


@dataclass
class Recorder:
    """The hand that records. Inodes are given numbers of our own, because the disk gives its own away again."""

    root: Path
    nodes: dict[int, Node] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)
    _known: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.top = self._scan(self.root)

    def _scan(self, path: Path) -> int:
        found = path.lstat()
        number = self._new(found.st_ino)
        if stat.S_ISDIR(found.st_mode):
            self.nodes[number] = Node({one.name: self._scan(one) for one in sorted(path.iterdir())})
        elif stat.S_ISLNK(found.st_mode):
            self.nodes[number] = Node(None, link=os.readlink(path))
        else:
            self.nodes[number] = Node(None, path.read_bytes(), found.st_mtime)
        return number

    def _new(self, inode: int) -> int:
        number = len(self._known) + len(self.ops) + len(self.nodes) + 1
        while number in self.nodes:
            number += 1
        self._known[inode] = number
        return number

    def _parent(self, path: Any, folder: int | None) -> tuple[int, str] | None:
        """(our number of the folder, name); None outside the home."""
        text = os.fspath(path)
        if folder is not None:
            inode = os.fstat(folder).st_ino
        else:
            head, text = os.path.split(os.path.abspath(text))
            if not head.startswith(str(self.root)):
                return None
            inode = os.stat(head).st_ino
        return (self._known[inode], text) if inode in self._known else None

    def __call__(self, name: str, real: Real, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        moment = time.time()
        if name == "open":
            return self._open(real, args, kwargs, moment)
        if name in ("write", "pwrite"):
            number = self._known.get(os.fstat(args[0]).st_ino)
            at = args[2] if name == "pwrite" else os.lseek(args[0], 0, os.SEEK_CUR)
            written = real(*args, **kwargs)
            if number is not None:
                self.ops.append(Op("write", node=number, at=at, data=bytes(args[1][:written]), moment=moment))
            return written
        if name == "ftruncate":
            number = self._known.get(os.fstat(args[0]).st_ino)
            real(*args)
            if number is not None:
                self.ops.append(Op("cut", node=number, at=args[1], moment=moment))
            return None
        if name in ("fsync", "fdatasync"):
            number = self._known.get(os.fstat(args[0]).st_ino)
            real(*args)
            if number is not None:
                self.ops.append(Op("sync", node=number))
            return None
        where = self._parent(args[0], kwargs.get("dir_fd"))
        if name in ("rename", "replace"):
            to = self._parent(args[1], None)
            answer = real(*args, **kwargs)
            if where is not None and to is not None:
                self.ops.append(Op("rename", (where[0], to[0]), (where[1], to[1])))
            return answer
        answer = real(*args, **kwargs)
        if name == "link":
            to, number = self._parent(args[1], None), self._known.get(os.lstat(args[1]).st_ino)
            if to is not None and number is not None:
                self.ops.append(Op("link", (to[0],), (to[1],), number))
        elif where is not None:
            if name == "mkdir":
                number = self._new(os.lstat(args[0]).st_ino)
                self.nodes[number] = Node({})
                self.ops.append(Op("link", (where[0],), (where[1],), number))
            elif name in ("unlink", "remove", "rmdir"):
                self.ops.append(Op("unlink", (where[0],), (where[1],)))
        return answer

    def _open(self, real: Real, args: tuple[Any, ...], kwargs: dict[str, Any], moment: float) -> int:
        flags = args[1]
        there = os.path.lexists(args[0])
        handle: int = real(*args, **kwargs)
        where = self._parent(args[0], kwargs.get("dir_fd"))
        if where is None:
            return handle
        inode = os.fstat(handle).st_ino
        if not there:
            number = self._new(inode)
            self.nodes[number] = Node(None, mtime=moment)
            self.ops.append(Op("link", (where[0],), (where[1],), number))
        elif flags & os.O_TRUNC:
            self.ops.append(Op("cut", node=self._known[inode], moment=moment))
        return handle


def disk_after(record: Recorder, before: int, variant: Variant, chosen: random.Random) -> dict[int, Node]:
    """The disk that a cut before call ``before`` may leave."""
    nodes = {
        number: Node(dict(node.names) if node.names is not None else None, node.data, node.mtime, node.link)
        for number, node in record.nodes.items()
    }
    ops = record.ops[:before]
    synced: dict[int, int] = {}
    for index, op in enumerate(ops):
        if op.kind == "sync":
            synced[op.node] = index
    # By chance: how far each folder and each file got behind its last fsync.
    reached = {number: chosen.randint(synced.get(number, 0), before) for number in nodes}
    for index, op in enumerate(ops):
        if op.kind == "sync":
            continue
        keys = op.folders or (op.node,)
        durable = any(synced.get(key, -1) > index for key in keys)
        if not durable:
            if variant == "only what was synced":
                continue
            if variant == "names without bytes" and not op.folders:
                continue
            if variant == "by chance" and not any(reached[key] > index for key in keys):
                continue
        _apply(nodes, op)
    return nodes


def _apply(nodes: dict[int, Node], op: Op) -> None:
    if op.kind == "write":
        node = nodes[op.node]
        node.data = node.data[: op.at].ljust(op.at, b"\0") + op.data + node.data[op.at + len(op.data) :]
        node.mtime = op.moment
    elif op.kind == "cut":
        nodes[op.node].data = nodes[op.node].data[: op.at]
        nodes[op.node].mtime = op.moment
    elif op.kind == "link":
        _names(nodes, op.folders[0])[op.names[0]] = op.node
    elif op.kind == "unlink":
        _names(nodes, op.folders[0]).pop(op.names[0], None)
    elif op.kind == "rename":
        number = _names(nodes, op.folders[0]).pop(op.names[0], None)
        if number is not None:
            _names(nodes, op.folders[1])[op.names[1]] = number


def _names(nodes: dict[int, Node], number: int) -> dict[str, int]:
    names = nodes[number].names
    assert names is not None
    return names


def lay_out(nodes: dict[int, Node], top: int, target: Path) -> None:
    """Make the disk for real."""
    node = nodes[top]
    if node.names is not None:
        target.mkdir(mode=0o700)
        for name, number in node.names.items():
            lay_out(nodes, number, target / name)
    elif node.link is not None:
        target.symlink_to(node.link)
    else:
        target.write_bytes(node.data)
        os.utime(target, (node.mtime, node.mtime))


def recorded(ready: Stage, place: Path) -> Recorder:
    """The command done once, with everything that it changed."""
    with copied(ready, place, None) as home:
        record = Recorder(home.root)
        with laid_over(record):
            ready.command.act(store_of(home))
        return record


def cut(
    command: Command, chosen: random.Random, share: float, until: float, variants: Callable[[], tuple[str, ...]]
) -> Figures:
    """Cut the power before every call of a command, or before a random ``share`` of them."""
    figures = Figures()
    with staged(command) as (ready, place, _):
        record = recorded(ready, place)
        for before in range(len(record.ops) + 1):
            for variant in variants():
                figures.planned += 1
                if time.monotonic() > until or (share < 1 and chosen.random() >= share):
                    continue
                root = place / "cut"
                lay_out(disk_after(record, before, variant, chosen), record.top, root)
                complaints = survey(home_at(root), ready.facts, state=ready.command.keeps_state)
                figures.count(f"{command.name}: {variant}", complaints, f"before call {before}")
                shutil.rmtree(root)
    return figures


def pieces(seed: int) -> list[Piece]:
    """Every command, every prefix of its calls, every variant."""

    def piece(command: Command) -> Piece:
        chosen = random.Random(f"{seed} {command.name}")
        return Piece(command.name, 150, lambda until: cut(command, chosen, 1.0, until, lambda: VARIANTS))

    # Two filesystems have two journals; there each step is a copy, and the copy is whole before the next.
    return [piece(command) for command in COMMANDS if not command.elsewhere]
