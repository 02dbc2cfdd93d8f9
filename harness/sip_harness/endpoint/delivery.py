"""The bytes of a delivery: a response of ours dressed as a script asks for it (RFC 3261 8.2.6 says how it should be).

Pure: made-up values are handed in, so that the same arguments always give the same bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sip_harness.endpoint.mutate import mutate, rewrite
from sip_harness.model.steps import Delivery
from sip_harness.sip.message import Message, first_element, split_list, text

_TAG = re.compile(r"\s*;\s*tag\s*=\s*[^;\s,]*", re.IGNORECASE)
_BRANCH = re.compile(r";\s*branch\s*=\s*[^;\s,]*", re.IGNORECASE)
_PLACEHOLDER = re.compile(rb"\{(via|from|to|call-id|cseq|contact|branch|sent-by|more-vias|run)\}")
_FOREIGN = "other"


@dataclass(frozen=True, slots=True)
class Made:
    """Values made up for one message."""

    tag: str
    """What `to tag: other` becomes."""
    branch: str
    """What `branch: other` becomes."""


def dress(data: bytes, how: Delivery, made: Made) -> bytes:
    """A response with the To-tag, branch and CSeq method that the script wants; its mutations are left to `damage`."""
    if how.to_tag is not None:
        tag = made.tag if how.to_tag == _FOREIGN else how.to_tag
        data = rewrite(data, "To", lambda value: with_tag(text(value), tag).encode("utf-8", "surrogateescape"))
    if how.branch:
        branch = made.branch if how.branch == _FOREIGN else how.branch
        data = rewrite(data, "Via", lambda value: with_branch(text(value), branch).encode("utf-8", "surrogateescape"))
    if how.cseq:
        data = rewrite(data, "CSeq", lambda value: value.split(b" ")[0] + b" " + how.cseq.encode("utf-8"))
    return data


def damage(data: bytes, how: Delivery) -> bytes:
    """The final bytes of a message: with its mutations, which come last of all."""
    return mutate(data, how.mutations)


def fill(data: bytes, request: Message, contact: str, run: str) -> bytes:
    """Exact bytes of an author with their placeholders filled in from the request that they answer or stand for.

    `{from}`, `{to}`, `{call-id}` and `{cseq}` stand for the value of the request's first header field of that name,
    `{via}` for the values of all its Via fields in order, joined by `, `, `{branch}` and `{sent-by}` for parts of the
    topmost one and `{more-vias}` for those below it, each behind a comma, `{contact}` for our own Contact value and
    `{run}` for this text. A header that the request does not
    have is empty. Anything else in braces stays as it is.
    """

    def value(found: re.Match[bytes]) -> bytes:
        name = found[1].decode()
        special = {"contact": contact, "run": run, "branch": request.branch}
        if name in special:
            filled = special[name]
        elif name == "via":
            filled = ", ".join(request.all("via"))
        elif name == "more-vias":
            filled = "".join(f", {via}" for via in _below(request))
        elif name == "sent-by":
            filled = _sent_by(request)
        else:
            filled = request.get(name) or ""
        return filled.encode("utf-8", "surrogateescape")

    return _PLACEHOLDER.sub(value, data)


def _below(request: Message) -> list[str]:
    """The Via elements below the topmost one."""
    return [element for value in request.all("via") for element in split_list(value)][1:]


def _sent_by(request: Message) -> str:
    """As it is written in the topmost Via."""
    _, _, rest = first_element(request.get("via") or "").partition(" ")
    return rest.partition(";")[0].strip()


def with_tag(value: str, tag: str) -> str:
    """A From or To value with this tag instead of any other; without one if it is empty."""
    head, bracket, params = value.rpartition(">")
    bare = f"{head}{bracket}{_TAG.sub('', params)}"
    return f"{bare};tag={tag}" if tag else bare


def with_branch(value: str, branch: str) -> str:
    """A Via value whose topmost element has this branch instead of its own."""
    top = first_element(value)
    begin, _, rest = value.partition(top)
    changed = _BRANCH.sub("", top) + f";branch={branch}"
    return f"{begin}{changed}{rest}"
