"""What a page of the origin stores, as Chromium keeps it on disk: looked at and never opened.

Two stores, :mod:`indexed_db` and :mod:`local_storage`, each in one of two formats, :mod:`leveldb` and :mod:`sqlite`.
Which one counts is Chromium's own rule, measured (docs/chromium.md): a LevelDB folder with anything in it, else SQLite.
"""
