"""Backups, events and the memory of an account: what is on the disk."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from linda_cli.server.routes.dependencies import ClientId, On, Who, problems
from linda_cli.server.schemas import (
    BackedUpAnswer,
    BackupsAnswer,
    EventsAnswer,
    Flag,
    MemoryAnswer,
    NewBackup,
    Restore,
    RestoredAnswer,
)
from linda_cli.server.serializers import answer
from linda_cli.sessions.number import parse_number

router = APIRouter(prefix="/whatsapp")

_CHUNK = 1 << 16


@router.post("/accounts/{client_id}/backup", tags=["backups"], responses=problems(404, 409, 507))
async def back_up(who: Who, on: On, client_id: ClientId, body: NewBackup | None = None) -> BackedUpAnswer:
    """A backup of what is there now; ``isNew`` false where nothing has changed."""
    done = await on.workers.work(on.service.back_up, who, client_id, (body or NewBackup()).label)
    return BackedUpAnswer.model_validate(answer(done))


@router.get("/accounts/{client_id}/backups", tags=["backups"], responses=problems(404))
async def list_backups(who: Who, on: On, client_id: ClientId, verify: Flag = False) -> BackupsAnswer:
    """Newest first; with ``verify`` each is read in full."""
    found = await on.workers.read(on.service.backups, who, client_id, verify=verify)
    return BackupsAnswer.model_validate(answer(session=parse_number(client_id), backups=found))


@router.get(
    "/accounts/{client_id}/backups/{name}/download", tags=["backups"], response_class=StreamingResponse,
    responses={200: {"content": {"application/x-tar": {}}, "description": "A tar archive"}, **problems(404)},
)  # fmt: skip
async def download_backup(who: Who, on: On, client_id: ClientId, name: str) -> StreamingResponse:
    """A backup as a tar archive. It is the login: whoever has it is the linked device."""
    who.must_write(parse_number(client_id))
    folder = await on.workers.read(on.service.backup_folder, who, client_id, name)
    archive = await on.workers.read(_packed, folder)
    headers = {"Content-Disposition": f'attachment; filename="{folder.name}.tar"', "Cache-Control": "no-store"}
    return StreamingResponse(_chunks(archive), media_type="application/x-tar", headers=headers)


def _packed(folder: Path) -> IO[bytes]:
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed once it was sent
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(folder, folder.name, filter=_private)
    archive.seek(0)
    return archive


def _private(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """No link leaves the backup, and who unpacks it is its owner."""
    if not (member.isfile() or member.isdir()):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _chunks(archive: IO[bytes]) -> Iterator[bytes]:
    with archive:
        while chunk := archive.read(_CHUNK):
            yield chunk


@router.post("/accounts/{client_id}/restore", tags=["backups"], responses=problems(404, 409, 422, 507))
async def restore(who: Who, on: On, client_id: ClientId, body: Restore | None = None) -> RestoredAnswer:
    """Put a backup in the profile's place, which goes to quarantine. One that is up is stopped and brought up again."""
    done = await on.workers.work(on.service.restore, who, client_id, (body or Restore()).backup)
    return RestoredAnswer.model_validate(answer(done))


@router.get("/accounts/{client_id}/events", tags=["sessions"], responses=problems(404))
async def list_events(
    who: Who, on: On, client_id: ClientId, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> EventsAnswer:
    """The kept events of the session, oldest first, without codes."""
    found = await on.workers.read(on.service.story, who, client_id, limit)
    return EventsAnswer.model_validate(answer(session=parse_number(client_id), events=found))


@router.get("/accounts/{client_id}/memory", tags=["sessions"], responses=problems(404))
async def list_memory(who: Who, on: On, client_id: ClientId) -> MemoryAnswer:
    """Megabytes of the account's browser over the last day: the largest of each five minutes, oldest first."""
    found = await on.workers.read(on.service.memory, who, client_id)
    return MemoryAnswer.model_validate(answer(session=parse_number(client_id), samples=found))
