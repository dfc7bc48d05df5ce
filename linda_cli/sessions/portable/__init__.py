"""Logins that move: one encrypted file for another machine, and profiles of other tools."""
