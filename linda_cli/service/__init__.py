"""``linda service``: a session or a server that starts with the machine, by systemd or by cron."""
