"""The verbs: each declares its options, calls once, and says what came of it. Strangers to one another."""
