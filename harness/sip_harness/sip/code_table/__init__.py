"""The table of response codes: what registries, RFCs and the field say about each. Look things up through `codes`."""

from sip_harness.sip.code_table import client, client_late, early, failure
from sip_harness.sip.code_table.row import Code

ROWS: tuple[Code, ...] = (*early.ROWS, *client.ROWS, *client_late.ROWS, *failure.ROWS)
