"""Chromium's LevelDB folders, looked at and never opened.

Opening such a database recovers it, and recovery writes; Chromium even deletes what it cannot recover. So this reads
the same files by itself, with its own eyes only: no lock, no write, nothing mapped (a mapped file that shrinks kills
the process), every size bounded, and every oddity told as a ``Damage``.

Values in here are named tuples, not dataclasses: making a frozen dataclass takes most of a millisecond, every command
imports this, and a table has thousands of block handles.
"""
