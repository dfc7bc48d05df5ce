"""Every figure that the docs name, measured side by side in one run: ``make bench``."""
