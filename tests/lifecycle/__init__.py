"""A run's state machine, proven against a small model of the truth: no browser, no disk, no clock."""
