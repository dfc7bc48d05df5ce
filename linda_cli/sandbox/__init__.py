"""A page that behaves as WhatsApp Web does, and its phone: for trying and testing without an account."""
