"""The embedded reference: registrar and stateful proxy in this process, with fault switches. An instrument, no server."""
