"""Sockets with kernel receive times. Everything that passes is handed to a recorder."""
