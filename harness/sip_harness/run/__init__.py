"""Planning and executing a scenario against a system, into a record."""
