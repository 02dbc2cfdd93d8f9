"""Messages read from the library's own log, for a library whose structures are not known. Worker processes only.

What is missing against the tap: a message whose log line exceeds the library's 4000 characters is cut, and datagrams
that are no messages are not seen.
"""

from __future__ import annotations

import pjsua2 as pj  # noqa: TID251 - this runs in a worker process

from sip_harness.agents.pjsua2.loglines import message_of
from sip_harness.agents.pjsua2.sink import Sink

LEVEL = 4
"""Level at which the library logs messages."""


def _feed(line: str, sink: Sink) -> None:
    """Hand the message of one log line to the sink, if there is one in it."""
    if (found := message_of(line)) is not None:
        way, data, remote = found
        (sink.received if way == "RX" else sink.sent)(data, remote)


class _Writer(pj.LogWriter):
    def __init__(self) -> None:
        super().__init__()
        self.sink: Sink | None = None

    def write(self, entry: pj.LogEntry) -> None:
        if self.sink is not None:
            try:
                _feed(entry.msg, self.sink)
            except Exception as error:  # noqa: BLE001 - the library would print and forget it
                self.sink.broke(error)


class LogTracing:
    """Tracing by the log."""

    def configure(self, config: pj.EpConfig) -> None:
        """Before libInit."""
        self._writer = _Writer()
        # libDestroy deletes the writer: Python must not do so a second time.
        self._writer.__disown__()
        config.logConfig.level = config.logConfig.consoleLevel = LEVEL
        config.logConfig.msgLogging = 1
        config.logConfig.writer = self._writer

    def attach(self, sink: Sink) -> None:
        """Between libInit and libStart."""
        self._writer.sink = sink

    def detach(self) -> None:
        """After libDestroy, which has deleted the writer."""
        del self._writer
