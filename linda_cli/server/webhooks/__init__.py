"""Webhooks: events by POST for those who hold no socket. Signed, retried, kept, and never in a session's way.

::

    bus -> service (whose webhooks?) -> journal (database) and line (one webhook's queue and thread) -> request
"""
