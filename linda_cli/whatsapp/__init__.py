"""All that knows the page of WhatsApp Web, and nothing else does."""
