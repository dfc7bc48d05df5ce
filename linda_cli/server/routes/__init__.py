"""The REST API. Each route declares its shape, calls a service once, and answers."""
