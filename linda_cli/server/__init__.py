"""Many accounts in one process, over REST, Socket.IO and a web page.

::

    rest, sockets, page -> desk -> fleet -> keeper (one account's run in a thread) -> lifecycle
    lifecycle's events  -> hub  -> accounts (database), sockets, webhooks, metrics, log

Needs the extra ``linda-cli[server]``.
"""
