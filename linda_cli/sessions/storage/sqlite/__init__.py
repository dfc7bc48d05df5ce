"""Chromium's SQLite stores: copied under guard, and the copy opened elsewhere.

The original is never opened by SQLite, not even read-only: a reader that holds it while Chromium starts empties
localStorage for good, a read-only open leaves files in the profile, and ``immutable=1`` shows no tables of a live one
(docs/chromium.md).
"""
