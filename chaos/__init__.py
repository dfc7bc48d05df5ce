"""The attacks that the promises are tested by: ``make chaos``, ``CHAOS=full make chaos``."""
