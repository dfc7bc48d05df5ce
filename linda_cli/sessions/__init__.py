"""Everything that linda does to files of a session; nothing here starts a browser."""
