"""Bytes and facts of SIP: messages, codes, headers, digest, transaction tables. Pure: no socket, no clock."""
