"""A device's behaviour as a state machine, and what it asks of the stack that carries it out."""
