"""The embedded reference: registrar and stateful proxy in this process, with fault switches. No server to deploy."""
