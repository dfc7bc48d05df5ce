"""What the documents of the page are like that are loaded next: language, delays, and what is broken in them."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path

UNSUPPORTED = {
    "en": "WhatsApp works with Google Chrome 100+",
    "de": "WhatsApp funktioniert mit Google Chrome 100+",
    "fr": "WhatsApp fonctionne avec Google Chrome 100+",
    "es": "WhatsApp funciona con Google Chrome 100+",
    "ar": "يعمل واتساب مع Google Chrome 100+",
}
"""The headline for a browser that the page does not take, by language; these are all the languages there are."""

BREAKS = ("query-selector", "mutation-observer", "json", "require-throws", "require-absent", "local-storage")
"""What a page can override under the feet of whoever is injected into it (page/natives.js)."""

_FOLDER = Path(__file__).parent / "page"
_INDEX = (_FOLDER / "index.html").read_text("utf-8")
_UNSUPPORTED = (_FOLDER / "unsupported.html").read_text("utf-8")
_MOST_COMING = 1000

# The real page's scripts hold such words too. None of this is on show.
_HIDDEN_WORDS = f"""<script>var landing = {{ title: "{UNSUPPORTED["en"]}" }};</script>
<style>.landing::before {{ content: "{UNSUPPORTED["en"]}"; display: none }}</style>
<template><h1 class="landing-title">{UNSUPPORTED["en"]}</h1></template>
<noscript><h1 class="landing-title">{UNSUPPORTED["en"]}</h1></noscript>
<div hidden>{UNSUPPORTED["en"]}</div>"""


@dataclass(frozen=True, slots=True)
class NextDocument:
    """What one document does on its way up. ``code``: seconds for which a linked page shows a code first."""

    boot: float | None = None
    """Seconds until its script runs; None is what ``Timing.boot`` says."""
    code: float = 0.0
    hide_keys: bool = False
    """While that code is on show both keys have other names."""


class Documents:
    """Guarded by the state's lock."""

    def __init__(self) -> None:
        self.language = "en"
        self.broken: frozenset[str] = frozenset()
        self.hidden_words = False
        self.clean_address = False
        """Whether the page takes a logout's parameters out of its address, as newer builds do."""
        self.shell = False
        """Whether the page's scripts cannot be loaded."""
        self._coming: deque[NextDocument] = deque()

    def expect(self, plan: NextDocument, documents: int) -> None:
        """Let the next documents, after those that are planned already, be like this. 0: drop all plans."""
        if documents == 0:
            self._coming.clear()
        self._coming.extend([plan] * min(documents, _MOST_COMING - len(self._coming)))

    def next_page(self, boot: float) -> bytes:
        """The next document; what was planned for it is used up."""
        plan = self._coming.popleft() if self._coming else NextDocument()
        settings = {
            **asdict(plan),
            "boot": boot if plan.boot is None else plan.boot,
            "broken": sorted(self.broken),
            "clean_address": self.clean_address,
            "shell": self.shell,
        }
        return self._filled(
            _INDEX,
            settings=json.dumps(settings).replace("<", "\\u003c"),
            hidden_words=_HIDDEN_WORDS if self.hidden_words else "",
        )

    def unsupported_page(self) -> bytes:
        """What a browser gets that is no Chrome to the server."""
        return self._filled(_UNSUPPORTED, unsupported=UNSUPPORTED[self.language])

    def _filled(self, template: str, **words: str) -> bytes:
        words |= {"lang": self.language, "dir": "rtl" if self.language == "ar" else "ltr"}
        for name, word in words.items():
            template = template.replace(f"{{{{{name}}}}}", word)
        return template.encode()
