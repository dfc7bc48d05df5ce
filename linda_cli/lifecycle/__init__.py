"""One run of one session: up the ladder, stay, leave; what happens is told by callback."""
