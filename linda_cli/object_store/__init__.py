"""Backups in an object store: S3, Google Cloud Storage, Azure, or a folder.

::

    <url>/sessions/<id>/key.age               the number, its secrets; age, for the recipients of the store
    <url>/sessions/<id>/blocks/<name>         at most 1 MiB of a file; age, for the key of the session
    <url>/sessions/<id>/backups/<ms>[-l][-v]  one backup: which blocks, and backup.json and the files, sealed
    <url>/sandbox/sessions/...                the same for sandbox logins

A block's name is the keyed hash of its bytes: what is there already is not uploaded again, and nobody without the
session's key can tell what it is. ``<id>`` is random: the number is in no name.
"""
