"""Everything can be said in Python with the same words: each shipped scenario is written as calls of the `sip` fixture,
and what the fixture makes of them is what the loader makes of the file."""

from __future__ import annotations

import dataclasses
import keyword
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sip_harness.language import LanguageError, include, load, matrix
from sip_harness.language.compose import compose
from sip_harness.language.files import shown
from sip_harness.language.loading import read_text
from sip_harness.language.source import File, Map, Seq
from sip_harness.model.place import NOWHERE, Place
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome, Verdict
from sip_harness.pytest_sip import Sip

LIBRARY = Path(__file__).parent.parent / "scenarios"
FILES = sorted(LIBRARY.rglob("*.sip.yaml"))
LISTED = ("cite", "needs", "proof")
NAMED = ("title", *LISTED, "targets", "devices", "carriers", "calls", "watch", "expect", "order")


def documents(path: Path) -> Iterator[dict[str, Any]]:
    """What a file says, case by case, as plain values."""
    text, name = read_text(path)
    whole, _ = include.merged(compose(File(name, text))[0], path)
    roots = [case.root for case in matrix.cases(whole)] if matrix.KEY in whole else [whole]
    for root in roots:
        document = plain(root)
        assert isinstance(document, dict)
        yield document


def plain(node: Any) -> Any:
    """Values as an author writes them in Python: codes and other whole numbers as such."""
    if isinstance(node, Map):
        return {plain(key): plain(value) for key, value in node.items()}
    if isinstance(node, Seq):
        return [plain(item) for item in node]
    if node is None:
        return None
    text = str(node)
    return int(text) if text.isascii() and text.isdigit() and text == str(int(text)) else text


def written(document: dict[str, Any]) -> str:
    """The calls of the fixture that say the same, as text of a test."""
    return "\n".join(f"sip.{line}" for line in _lines(document))


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield f"title({document['title']!r})"
    yield f"say({_keywords({k: v for k, v in document.items() if k not in NAMED})})"
    for key in LISTED:
        if key in document:
            listed = document[key] if isinstance(document[key], list) else [document[key]]
            yield f"{key}({', '.join(map(repr, listed))})"
    devices = dict(document.get("devices", {}))
    for name, target in document.get("targets", {}).items():
        [(shape, members)] = target.items()
        inline = {member: devices.pop(member) for member in members if isinstance(member, str) and member in devices}
        if len(inline) < len(members):  # carriers and groups: the devices are declared by themselves
            devices |= inline
            yield f"{shape}({', '.join(map(repr, (name, *members)))})"
        else:
            yield f"{shape}({name!r}, {_keywords({d: _short(what) for d, what in inline.items()})})"
    for kind, agents in (("device", devices), ("carrier", document.get("carriers", {}))):
        for name, what in agents.items():
            answer = "".join(f", {step!r}" for step in what.get("answer", []))
            yield f"{kind}({name!r}{answer}{_more({k: v for k, v in what.items() if k != 'answer'})})"
    for call in document.get("calls", []):
        more = {k: v for k, v in call.items() if k not in ("from", "to")}
        yield f"call({call['from']!r}, to={call['to']!r}{_more(more)})"
    yield from _expectations(document)


def _expectations(document: dict[str, Any]) -> Iterator[str]:
    if "watch" in document:
        watch = document["watch"]
        yield f"watch({_keywords(watch) if isinstance(watch, dict) else repr(watch)})"
    if document.get("expect") == "rfc3261":
        yield "conforms()"
    elif "expect" in document:
        yield f"expect({_keywords(document['expect'])})"
    orders = document.get("order", [])
    for order in orders if orders and not isinstance(orders[0], str) else [orders] if orders else []:
        yield (
            f"order(should={order['should']!r})" if isinstance(order, dict) else f"order({', '.join(map(repr, order))})"
        )


def _short(device: dict[str, Any]) -> Any:
    return device["answer"] if list(device) == ["answer"] else device


def _more(words: dict[str, Any]) -> str:
    return f", {_keywords(words)}" if words else ""


def _keywords(words: dict[str, Any]) -> str:
    names = {key: key.replace(" ", "_") + ("_" if keyword.iskeyword(key) else "") for key in words}
    simple = all(name.isidentifier() for name in names.values())
    if simple:
        return ", ".join(f"{names[key]}={value!r}" for key, value in words.items())
    return "**{" + ", ".join(f"{names[key]!r}: {value!r}" for key, value in words.items()) + "}"


def made(text: str, path: Path) -> Scenario:
    """The scenario that a test with this text runs; files are looked for beside `path`."""
    scenarios: list[Scenario] = []

    def run(scenario: Scenario) -> Result:
        scenarios.append(scenario)
        return Result(scenario, Verdict(Outcome.PASS))

    exec(compile(f"{text}\nsip.run()", str(path), "exec"), {"sip": Sip("twin", run)})
    [scenario] = scenarios
    return scenario


def placeless(value: Any) -> Any:
    """The same without places, and without what is made up anew each time."""
    if isinstance(value, str):
        return re.sub(r'nonce="\w+"', 'nonce=""', value)
    if isinstance(value, Place):
        return NOWHERE
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: placeless(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    return type(value)(map(placeless, value)) if isinstance(value, (tuple, frozenset)) else value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".sip.yaml"))
def test_a_shipped_scenario_can_be_said_in_python(path: Path) -> None:
    from_file = {scenario.id: scenario for scenario in load([path])}
    twins = [made(written(document), Path(shown(path))) for document in documents(path)]
    assert {twin.id for twin in twins} == set(from_file)
    for twin in twins:
        assert placeless(twin) == placeless(from_file[twin.id])


FORK = """\
sip.ring("bob", desk=["ringing", 486], mobile={"answer": ["ringing"], "on": {"BYE": [481]}})
sip.call("alice", to="bob")
sip.expect(
    alice=[600],
)
sip.expect(desk=["INVITE", "ACK to 486"])
sip.order("desk sends 486", "alice gets 486")"""


def test_every_part_stands_in_the_line_that_says_it() -> None:
    scenario = made(FORK, Path("test_x.py"))
    assert [device.place.line for device in scenario.devices] == [1, 1]
    assert scenario.calls[0].place == Place("test_x.py", 2)
    assert [one.place.line for one in scenario.expectations] == [3, 6, 7]
    assert scenario.place.line == 8


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('"ringing", 486', '"rining", 486', 1, "devices.desk.answer[0]: unknown response 'rining'"),
        ('to="bob"', 'to="bbo"', 2, "calls[0].to: unknown target 'bbo'"),
        ("[600]", '["6000"]', 3, "expect.alice[0]: "),
        ("expect(desk=[", "expect(dsk=[", 6, "expect.dsk: unknown agent 'dsk'"),
        ("alice gets 486", "alice got 486", 7, "order[0][1]: "),
        ('sip.call("alice"', 'sip.call("alice", cancle="2s"', 2, "calls[0].cancle: "),
    ],
)
def test_a_mistake_points_to_the_line_of_the_test(old: str, new: str, line: int, said: str) -> None:
    assert FORK.count(old) == 1
    with pytest.raises(LanguageError) as caught:
        made(FORK.replace(old, new), Path("test_x.py"))
    first = caught.value.diagnostics[0]
    assert first.place == Place("test_x.py", line)
    assert said in first.message
