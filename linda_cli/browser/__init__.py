"""Chromium and ChromeDriver: starting, finding, attaching, ending."""
