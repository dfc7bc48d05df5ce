"""REST: seed 003's paths and ours. Each declares, asks a service once, and answers."""
