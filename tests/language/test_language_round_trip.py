"""What an author writes down of a delivery, a loss or a schedule is what the model says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sip_harness.language import Diagnostic, LanguageError, from_python
from sip_harness.language.words import METHODS
from sip_harness.model.pattern import RequestPattern
from sip_harness.model.place import NOWHERE, Place
from sip_harness.model.scenario import Scenario
from sip_harness.model.script import Loss
from sip_harness.model.steps import Delivery, Disconnect, HangUp, Mutation, NoTrying, Send, Silence, Step
from sip_harness.model.wanted import Expected, Schedule, Sequence

TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=8).filter(lambda t: t not in ("none", "other"))
NAMES = st.sampled_from(["Via", "From", "To", "Contact", "Call-ID", "X-Odd"])
TIMES = st.sets(st.integers(1, 3_599_999), min_size=1, max_size=6).map(lambda found: [t / 1000 for t in sorted(found)])
LISTS = st.lists(NAMES, max_size=3, unique=True)
LENGTHS = st.integers(1, 65_535)
MANY = settings(max_examples=150, deadline=None)


def written_times(times: list[float]) -> list[str] | str:
    return [f"{round(t * 1000)}ms" for t in times] or "never"


def read(step: Any = 486, expect: Any = "INVITE", lose: Any = ()) -> Scenario:
    desk = {"answer": [step], "transport": "tcp", "lose": list(lose)}
    document: dict[str, Any] = {
        "title": "t", "id": "S-1", "targets": {"bob": {"ring": ["desk"]}}, "devices": {"desk": desk},
        "calls": [{"from": "alice", "to": "bob"}], "expect": {"desk": [expect]},
    }  # fmt: skip
    return from_python(document, Place("f", 1))


@st.composite
def written(draw: st.DrawFn) -> tuple[dict[str, Any], Delivery]:
    """A delivery as an author writes it, and as the model has it."""
    tag = draw(st.none() | st.sampled_from(["none", "other"]) | TOKENS)
    resend = draw(st.none() | st.just([]) | TIMES)
    strip = draw(LISTS)
    kinds = {"strip": strip, **{k: [n for n in draw(LISTS) if n not in strip] for k in ("duplicate", "corrupt")}}
    cut = draw(st.none() | LENGTHS)
    pieces = sorted(draw(st.sets(LENGTHS, max_size=4)))
    copies, cseq = draw(st.integers(1, 100)), draw(st.none() | st.sampled_from(METHODS))
    branch, port = draw(st.booleans()), draw(st.booleans())
    words = {
        "to tag": tag, "branch": "other" if branch else None, "cseq": cseq, "copies": copies,
        "resend": None if resend is None else written_times(resend),
        "from": "other port" if port else None, "truncate": cut, "pieces": pieces or None,
        **{kind: names or None for kind, names in kinds.items()},
    }  # fmt: skip
    mutations = [Mutation(kind, name) for kind in ("strip", "duplicate", "corrupt") for name in kinds[kind]]
    mutations += [Mutation("truncate", str(cut))] if cut is not None else []
    wanted = Delivery(
        to_tag="" if tag == "none" else tag,
        branch="other" if branch else "",
        cseq=cseq or "",
        resend=None if resend is None else tuple(resend),
        copies=copies,
        port="other" if port else "own",
        mutations=tuple(mutations),
        pieces=tuple(pieces),
    )
    return {word: value for word, value in words.items() if value is not None}, wanted


@MANY
@given(written(), st.randoms())
def test_deliveries_in_any_order_of_writing(both: tuple[dict[str, Any], Delivery], rng: Any) -> None:
    words, wanted = both
    pairs = list(words.items())
    rng.shuffle(pairs)
    (step,) = read({486: dict(pairs)}).devices[0].script.attempts[0]
    assert isinstance(step, Send)
    assert step.how == wanted


@MANY
@given(TIMES | st.just([]))
def test_schedules(times: list[float]) -> None:
    found = read(expect={"INVITE": {"resent": written_times(times)}}).expectations[0]
    assert isinstance(found, Sequence)
    (item,) = found.items
    assert isinstance(item, Expected)
    assert item.resent == Schedule(at=tuple(times))


@MANY
@given(st.lists(st.tuples(st.sampled_from(METHODS), st.integers(0, 1000)), max_size=4))
def test_losses(wanted: list[tuple[str, int]]) -> None:
    words = [f"first {count} {method}" if count else method for method, count in wanted]
    losses = read(lose=words).devices[0].script.losses
    assert losses == tuple(Loss(RequestPattern(m), n, Place("f", 1)) for m, n in wanted)


STEPS = st.sampled_from(
    """100 180 200 486 603 wait_1s silence hang_up no_100 send_INFO send_BYE close reset half-open
    487_to_INVITE after_desk_gets_BYE""".split()  # noqa: SIM905
).map(lambda words: words.replace("_", " "))


def accepted(steps: list[str]) -> tuple[Step, ...] | None:
    """The steps of a device that answers so; None if that is refused, which must be with a reason and a place."""
    document: dict[str, Any] = {
        "title": "t", "id": "S-1", "targets": {"bob": {"ring": ["desk"]}}, "calls": [{"from": "alice", "to": "bob"}],
        "devices": {"desk": {"answer": steps, "transport": "tcp"}}, "expect": {"desk": ["INVITE"]},
    }  # fmt: skip
    mistakes: tuple[Diagnostic, ...] = ()
    try:
        return from_python(document, Place("f", 1)).devices[0].script.attempts[0]
    except LanguageError as error:
        mistakes = error.diagnostics
    assert [bool(d.message) and d.place == Place("f", 1) for d in mistakes] == [True]
    return None


@settings(MANY, max_examples=500)
@given(st.lists(STEPS, max_size=5))
def test_what_an_accepted_answer_is_like(steps: list[str]) -> None:
    found = accepted(steps)
    if found is None:
        return
    kinds = [type(step) for step in found]
    finals = [index for index, step in enumerate(found) if isinstance(step, Send) and step.code >= 200]
    assert len(found) == len(steps) >= 1
    assert Silence not in kinds[:-1]
    assert NoTrying not in kinds[kinds.count(NoTrying) :]
    assert Disconnect("close") not in [replace(step, place=NOWHERE) for step in found[:-1]]
    assert not any(isinstance(step, Send) and (step.to or step.code < 200) for step in found[min(finals, default=99) :])
    assert HangUp not in kinds or any(200 <= step.code <= 299 for step in found if isinstance(step, Send))


@MANY
@given(st.lists(st.sampled_from(["wait 1s", "180", "183", "no 100", "after desk gets BYE"]), max_size=5))
def test_an_answer_can_always_end_with_a_final(steps: list[str]) -> None:
    early = [step for step in steps if step != "no 100"]
    assert accepted([*early, "486"]) is not None
    assert accepted(["no 100", *early, "486", "603"]) is not None
    assert accepted([*early, "silence"]) is not None
