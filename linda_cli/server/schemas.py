"""The shapes of requests and answers, as OpenAPI tells them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from linda_cli.server.webhooks.events import EVENTS

NUMBER_PATTERN = r"^\+?[1-9][0-9]{6,14}$"
"""How a number is best sent. More is accepted: other formatting is dropped, digits of other scripts are read."""
_VISIBLE = r"^[^\x00-\x1f\x7f]*$"
_OWNER = r"^[!-~](?:[ -~]{0,62}[!-~])?$"
_PROXY = r"^((http|socks5)://[a-z][a-z0-9]{0,20}\.example:[1-9][0-9]{0,3})?$"
_URL = r"^https?://[a-z][a-z0-9]{0,20}(\.[a-z]{2,10}){1,2}(/[A-Za-z0-9/_-]*)?$"

Label = Annotated[str, StringConstraints(max_length=200, pattern=_VISIBLE)]
Number = Annotated[str, StringConstraints(max_length=60), Field(json_schema_extra={"pattern": NUMBER_PATTERN})]
Owner = Annotated[str, StringConstraints(min_length=1, max_length=64), Field(json_schema_extra={"pattern": _OWNER})]
"""Any visible characters, in any script."""
Proxy = Annotated[str, Field(json_schema_extra={"pattern": _PROXY, "writeOnly": True})]
"""More is accepted: a user and a password, addresses, names in any domain. Never shown again with them."""
Url = Annotated[str, StringConstraints(max_length=2000), Field(json_schema_extra={"pattern": _URL})]
"""More is accepted: ports, queries, addresses, and names outside ASCII."""
EventName = Annotated[str, StringConstraints(max_length=40), Field(json_schema_extra={"enum": sorted(EVENTS)})]


def _boolean(value: Any) -> Any:
    """Only the two words: what else a boolean could be spelled as is a mistake that is better told."""
    if isinstance(value, str):
        if value not in ("true", "false"):
            raise ValueError("it is true or false")
        return value == "true"
    return value


Flag = Annotated[bool, BeforeValidator(_boolean)]


def _integer(value: Any) -> Any:
    """JSON knows one kind of number: 900.0 is an integer as well."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Body(BaseModel):
    """A request's body: names in camelCase, and no other ones."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, alias_generator=to_camel, strict=True)


class NewAccount(Body):
    """``owner`` and ``withLogin`` are for admins; everybody else's accounts are their own."""

    number: Number | Annotated[int, Field(ge=10**6, lt=10**15), BeforeValidator(_integer)] = Field(
        examples=["971505760056"]
    )
    owner: Owner | None = None
    with_login: bool = False
    label: Label | None = None


class AccountChange(Body):
    """``label``: what people call it, empty for none. ``owner``, ``withLogin``: for admins, gives it to another.

    ``proxy``: for admins, ``http://`` or ``socks5://[USER:PASSWORD@]HOST:PORT``, empty for none; from the next start.
    """

    label: Label | None = None
    proxy: Proxy | None = None
    owner: Owner | None = None
    with_login: bool = False


class Start(Body):
    """``linkWith``: how to link where nothing is left to restore; null brings up what is saved and shows no code."""

    link_with: Literal["qr", "code"] | None = "qr"


class NewBackup(Body):
    """A labelled backup is not rotated away."""

    label: Label | None = None


class Restore(Body):
    """Without a name: the newest backup that verifies."""

    backup: Annotated[str, StringConstraints(max_length=80)] | None = None


class LogOut(Body):
    """``local``: the login is only forgotten here; the phone still lists the device."""

    local: bool = False


class NewWebhook(Body):
    """``events``: their names; none is all."""

    url: Url
    events: list[EventName] = Field(default=[], max_length=50)


class WebhookChange(Body):
    """What is left out stays."""

    url: Url | None = None
    events: list[EventName] | None = Field(default=None, max_length=50)


class NewLinkingLink(Body):
    """``expiresIn``: seconds."""

    expires_in: Annotated[int, Field(ge=60, le=7 * 86400), BeforeValidator(_integer)] = 900


class NewToken(Body):
    """``expiresIn``: seconds. Only an admin makes tokens for others, and such that last longer than their own."""

    owner: Owner | None = None
    role: Literal["user", "admin"] = "user"
    number: Number | None = None
    read_only: bool = False
    expires_in: Annotated[int, Field(ge=60, le=366 * 86400), BeforeValidator(_integer)] = 30 * 86400


class Revocation(Body):
    """All tokens of an owner that were made until now."""

    owner: Owner


class Link(Body):
    """The secret of a one-time link, as it stands after the # of its address."""

    link: Annotated[str, StringConstraints(max_length=4000)]


class Answer(BaseModel):
    """An answer: names in camelCase."""

    model_config = ConfigDict(populate_by_name=True, alias_generator=to_camel)

    version: Literal[1] = 1


class Part(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(populate_by_name=True, alias_generator=to_camel)


class Problem(BaseModel):
    """Problem details (RFC 9457). ``name`` is the error's class; ``hint`` a request that may help."""

    type: str
    title: str
    status: int
    detail: str = ""
    name: str = ""
    hint: str = ""
    instance: str = ""
    errors: list[dict[str, str]] = []


class SessionDataPart(Part):
    """``authState`` is the last thing known; ``sessionValid``: restored at the next start."""

    is_authenticated: bool
    last_connected: str | None
    auth_state: str
    session_valid: bool


class AccountPart(Part):
    """One account as it stands."""

    client_id: str
    owner: str
    label: str | None
    proxy: str | None
    status: Literal["active", "authenticating", "ready", "disconnected"]
    session_data: SessionDataPart
    up: bool
    is_ready: bool
    is_restored: bool
    restored_at: str | None
    source: str | None
    restore_count: int
    debugger_address: str | None
    code: str | None
    passkey_required: bool
    problem: str | None
    problem_name: str | None
    problem_at: str | None
    retry_at: str | None
    reconnects: int
    memory_mb: int | None
    memory_peak_mb: int | None
    removing: bool


class AccountAnswer(AccountPart, Answer):
    """The same as an answer of its own."""


class StartedAnswer(AccountAnswer):
    """``operation``: ask ``GET /whatsapp/operations/{id}`` what became of it."""

    operation: str


class AccountsAnswer(Answer):
    """``nextCursor``: for the next page, null at the end; ``counts``: of all that matched, by status."""

    accounts: list[AccountPart]
    next_cursor: str | None
    total: int
    counts: dict[str, int]


class SessionsAnswer(Answer):
    """Sessions as they stand."""

    sessions: list[AccountPart]


class RemovedAnswer(Answer):
    """``undo``: what brings the session back while its backups last."""

    client_id: str
    operation: str
    undo: str


class OperationAnswer(Answer):
    """What became of an accepted request."""

    id: str
    kind: Literal["start", "remove"]
    client_id: str
    state: Literal["running", "done", "failed"]
    began_at: str
    ended_at: str | None
    problem: str | None


class BackupPart(Part):
    """A backup. ``valid`` null: its files were not read."""

    name: str
    session: str
    created_at: str
    reason: str
    label: str | None
    cold: bool
    verified: bool
    valid: bool | None
    size: int
    generation: int
    login: str | None
    fingerprint: str
    revoked_at: str | None = None


class BackupsAnswer(Answer):
    """Newest first."""

    session: str
    backups: list[BackupPart]


class BackedUpAnswer(Answer):
    """``isNew`` false: nothing has changed since that backup."""

    session: str
    backup: BackupPart
    is_new: bool
    seconds: float


class RestoredAnswer(Answer):
    """``aside``: the quarantined profile."""

    session: str
    restored: BackupPart | None
    aside: str | None
    source: str


class LoggedOutAnswer(Answer):
    """``unlinked`` false: only forgotten here. ``aside``: the quarantined profile."""

    session: str
    unlinked: bool
    revoked_at: str | None
    aside: str | None


class PairingCodeAnswer(Answer):
    """What to type into the phone. ``expiresIn``: seconds."""

    code: str
    expires_in: int


class EventPart(Part):
    """An event that was kept, with a line for a person in ``words``; other fields as in docs/commands.md."""

    model_config = ConfigDict(populate_by_name=True, alias_generator=to_camel, extra="allow")

    event: str
    at: str
    words: str


class EventsAnswer(Answer):
    """Oldest first."""

    session: str
    events: list[EventPart]


class MemoryPart(Part):
    """``at``: when its five minutes began."""

    at: str
    memory_mb: int


class MemoryAnswer(Answer):
    """Oldest first."""

    session: str
    samples: list[MemoryPart]


class WebhookPart(Part):
    """Where an owner is told. ``lastStatus``: an HTTP status, or why there was none."""

    id: str
    owner: str
    url: str
    events: list[str]
    created_at: str
    last_status: int | str | None
    last_at: str | None
    failing_since: str | None
    waiting: int
    dropped: int


class WebhookAnswer(WebhookPart, Answer):
    """The same as an answer of its own."""


class NewWebhookAnswer(WebhookAnswer):
    """``secret`` signs each delivery; it is in no other answer."""

    secret: str


class WebhooksAnswer(Answer):
    """The caller's webhooks."""

    webhooks: list[WebhookPart]


class TestedAnswer(Answer):
    """What a test delivery was answered with."""

    delivered: bool
    status: int | None
    problem: str | None


class TokenAnswer(Answer):
    """A token; it is in no other answer. ``id`` revokes it."""

    token: str
    id: str
    owner: str
    role: str
    expires_at: str


class LinkingLinkAnswer(Answer):
    """``path`` comes after the server's address; the secret is what follows the #. ``id`` revokes it."""

    id: str
    client_id: str
    path: str
    expires_at: str


class LinkingSessionAnswer(Answer):
    """What a linking link was exchanged for: good for this number's code and nothing else."""

    token: str
    client_id: str
    expires_at: str


class LinkingStateAnswer(Answer):
    """``state``: ``starting``, ``code``, ``linked`` or ``failed``."""

    client_id: str
    state: Literal["starting", "code", "linked", "failed"]
    code: str | None
    pairing_code: str | None
    expires_in: int | None
    problem: str | None


class MeAnswer(Answer):
    """Who asks, and of which server."""

    owner: str
    role: Literal["user", "admin"]
    number: str | None
    read_only: bool
    expires_at: str | None
    needs_token: bool
    linda: str
    owners: list[str]


class RestorationPart(Part):
    """How far the restoration at the start is."""

    finished: bool
    accounts: int
    restored: int
    failed: int


class HealthAnswer(Answer):
    """``status``: ``starting``, ``ok`` or ``stopping``; ``database``: ``ok`` or why not."""

    status: str
    restoration: RestorationPart
    ready: int
    up: int
    database: str


class ReadyAnswer(Answer):
    """``reason`` null: requests are served and the database answers."""

    ready: bool
    reason: str | None
    restoration: RestorationPart


class LiveAnswer(Answer):
    """It answers."""

    live: bool
