"""Many hosts: the numbers of one database, each run by exactly one of them."""
