"""Where our Kamailio is known to read messages otherwise than a shipped scenario asks. Seen with 5.6.3."""

from __future__ import annotations

from collections.abc import Iterator

from sip_harness.model.policy import Deviation

_SHORT = "looks at Content-Length on streams only (RFC 3261 18.3 wants a short response discarded); seen with 5.6.3"
_CLASS = "relays codes above 699 (RFC 4475 3.1.2.19 wants them dropped); seen with 5.6.3"
_CSEQ = "passes on whatever number CSeq has (RFC 3261 8.1.1.5); seen with 5.6.3"
_NOBODY = "passes a response on from which it has taken the last Via (against RFC 3261 16.7 step 3); seen with 5.6.3"
_LOOSE = "passes requests on whose CSeq or Content-Length cannot be right (RFC 3261 16.3 step 1, 18.3); seen with 5.6.3"
_FOLDED = "cannot read a CSeq that is folded (RFC 3261 7.3.1 allows it) and drops the request; seen with 5.6.3"
_STRAYS = "passes on responses that match no transaction (RFC 6026 7.3 forbids it); seen with 5.6.3"
_ONLY_CAROLS = "desk: nothing but INVITE, ACK to 486"


def _of_requests() -> Iterator[Deviation]:
    for name in ("RB-15-clerr", "RB-15-scalar02"):
        yield Deviation(
            name, "alice: nothing but maybe 400 or 401 or 407 from system", "also 486 Busy Here from desk", _LOOSE
        )
        yield Deviation(name, _ONLY_CAROLS, "also INVITE", _LOOSE)
        yield Deviation(name, _ONLY_CAROLS, "also ACK to 486", _LOOSE)
    yield Deviation("RB-15-mismatch01", _ONLY_CAROLS, "also INVITE", _LOOSE)


BEHIND_DIGEST = frozenset(one.scenario for one in _of_requests())
"""What does not show where callers are asked for credentials, which bytes cannot show."""
DEVIATIONS = (
    *_of_requests(),
    Deviation("RB-04", "alice: 480 from desk", "700 No Such Class from desk", _CLASS),
    Deviation("RB-04", "desk: nothing but INVITE, ACK to 480", "also ACK to 700", _CLASS),
    Deviation("RB-08", "alice: 480 from desk", "486 Busy Here from desk", _SHORT),
    Deviation("RB-08", "desk: ACK to 480", "ACK to 486", _SHORT),
    Deviation("RB-09-folded-cseq", "alice: 200 or 401 or 407 to OPTIONS from system", "nothing", _FOLDED),
    Deviation("RB-10", "alice: nothing but 183 1 time, 486 from desk", "also 183 Session Progress from desk", _NOBODY),
    Deviation("RB-13", "alice: nothing but 183 1 time, 486 from desk", "also 183 Session Progress from desk", _CSEQ),
    Deviation("TO-13-200", "alice: nothing but 408 from system", "also 200 OK from desk", _STRAYS),
)
