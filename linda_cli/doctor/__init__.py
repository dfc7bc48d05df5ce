"""``linda doctor``: looks at a machine and a home, names what is wrong, and the command that fixes it."""
