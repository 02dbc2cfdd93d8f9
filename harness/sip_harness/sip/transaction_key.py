"""Which transaction a message belongs to (RFC 3261 17.1.3, 17.2.3)."""

from __future__ import annotations

from sip_harness.sip.message import Message, first_element
from sip_harness.sip.via import sent_by

COOKIE = "z9hG4bK"
"""How a branch begins that is unique by itself (RFC 3261 8.1.1.7)."""

Key = tuple[str, ...]


def client_key(branch: str, method: str) -> Key:
    """Key of a client transaction."""
    return branch, method


def response_key(response: Message) -> Key:
    """Key of the client transaction that this response answers: its top branch and the method of its CSeq."""
    return response.branch, response.cseq[1]


def server_key(request: Message, method: str = "") -> Key:
    """Key of the server transaction that this request makes or belongs to.

    An ACK has its INVITE's. With `method` it is the key of another transaction with the same branch: the INVITE
    that a CANCEL is for (RFC 3261 9.2). A branch without the magic cookie comes from an RFC 2543 client and says
    nothing by itself; there the fields that stay the same from request to ACK stand in for it.
    """
    via = first_element(request.get("via") or "")
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    branch = request.branch
    if branch.startswith(COOKIE) and len(branch) > len(COOKIE):
        return branch, sent_by(via), method
    return "", via, method, request.uri, request.call_id, request.from_tag, str(request.cseq[0])
