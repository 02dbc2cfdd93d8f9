"""`for`: one scenario file, many cases.

    for: {code: [4xx, 600], first: [486, 503]}          every code with every first
    for: [{code: 403, reason: Insufficient funds},      values that belong together; each row by itself is such a
          {code: [4xx, 5xx], reason: Nothing special}]  mapping, and a value may use the variables before it

Where cases differ, a choice says how: `alice: {by code: {503: [500], other: ["{code}"]}}`.

A list holds the alternatives of a variable. Among them `4xx` is every code of the table in that class, `known` every
code of it that a standard or a vendor has defined, and `unknown` those in no registry. A case has the id of the file
and its values behind it, or the id that the file makes of them: `id: CODES-{code}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TypeAlias

from sip_harness.language.choice import idle, same_code
from sip_harness.language.diagnostics import Diagnostic, LanguageError, Mistake, quoted
from sip_harness.language.placeholders import VARIABLE, Budget, Filler, survey
from sip_harness.language.source import Map, Node, Seq, Spot, Text
from sip_harness.sip.codes import CODES

KEY = "for"
MAX_CASES = 2_000
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_CLASS = re.compile(r"([1-6])xx")
_FORM = "write for: {code: [486, 600]}"

Values: TypeAlias = dict[str, Node]
_Row: TypeAlias = dict[str, list[Node]]


@dataclass(frozen=True)
class Case:
    """One case of a matrix."""

    root: Map
    """The document with every placeholder filled in."""
    id: str


def cases(root: Map) -> list[Case]:
    """The cases of a document with `for`. Raises LanguageError."""
    try:
        rows = _rows(root)
        _check_size(root, rows)
        _check_use(root, rows)
        return _cases(root, rows)
    except Mistake as mistake:
        raise LanguageError([mistake.diagnostic]) from None


def _cases(root: Map, rows: list[_Row]) -> list[Case]:
    budget = Budget()
    template = _template(root)
    shown = _in_ids(rows)
    found = list(_distinct(_case(template, values, shown, budget) for row in rows for values in _values(row, budget)))
    if never := list(idle(root, budget.taken)):
        raise LanguageError(never)
    return found


def _template(root: Map) -> Map:
    """The document without its matrix."""
    result = Map(root.spot, flow=root.flow)
    for key in root:
        if key != KEY:
            result[key], result.keys_at[key], result.values_at[key] = root[key], root.keys_at[key], root.values_at[key]
    return result


def _case(template: Map, values: Values, shown: list[str], budget: Budget) -> Case:
    filled = Filler(values, budget).map(template)
    written, name = template.get("id"), filled.get("id")
    if isinstance(name, Text) and name == written and (added := "".join(f"-{values[v]}" for v in shown)):
        name = Text(
            f"{name}{added}", name.origin, [*name.indices[:-1], *([name.indices[len(name)]] * (len(added) + 1))]
        )
        filled["id"], filled.values_at["id"] = name, name.spot()
    return Case(filled, str(name) if isinstance(name, Text) else "")


def _distinct(found: Iterator[Case]) -> Iterator[Case]:
    taken: set[str] = set()
    for case in found:
        if case.id and case.id.casefold() in taken:
            hint = "put placeholders into the id that tell the cases apart, as 'id: X-{code}'"
            raise case.root.values_at["id"].mistake(f"two cases have the id {quoted(case.id)}", hint)
        taken.add(case.id.casefold())
        yield case


def _rows(root: Map) -> list[_Row]:
    node, at = root[KEY], root.keys_at[KEY]
    if isinstance(node, Map):
        return [_row(node)]
    if not isinstance(node, Seq):
        raise at.mistake("'for' is a mapping of variables, or a list of such mappings", _FORM)
    if not node:
        raise at.mistake("'for' has no rows", _FORM)
    rows = []
    for item, spot in zip(node, node.items_at, strict=True):
        if not isinstance(item, Map):
            raise spot.mistake("each row of 'for' is a mapping", "write for: [{code: 403, reason: Insufficient funds}]")
        rows.append(_row(item))
        if lacking := [name for name in rows[0] if name not in rows[-1]]:
            raise spot.mistake(f"{quoted(lacking[0])} is missing in this row", "every row names the same variables")
        if surplus := [name for name in item if name not in rows[0]]:
            hint = "every row names the same variables"
            raise item.keys_at[surplus[0]].mistake(f"{quoted(surplus[0])} is not in the first row", hint)
    return rows


def _row(node: Map) -> _Row:
    if not node:
        raise node.spot.mistake("'for' names no variable", _FORM)
    for name in node:
        if not re.fullmatch(VARIABLE, name):
            hint = "letters, digits, dashes and underscores, a letter first"
            raise node.keys_at[name].mistake(f"{quoted(name)} is no name for a variable", hint)
    return {str(name): _alternatives(name, value, node.keys_at[name]) for name, value in node.items()}


def _alternatives(name: str, node: Node, at: Spot) -> list[Node]:
    if not isinstance(node, Seq):
        return _expanded(node)
    if not node:
        raise at.mistake(f"{quoted(name)} has no values", "give it at least one")
    found: list[Node] = []
    single: dict[str, bool] = {}
    for item in node:
        expanded = _expanded(item)
        for one in expanded:
            if not isinstance(one, Text):
                found.append(one)
                continue
            same, alone = same_code(one), len(expanded) == 1
            if alone and single.get(same):
                raise one.all.mistake(f"{quoted(one)} stands twice")
            if same not in single:
                found.append(one)
            single[same] = single.get(same, False) or alone
    return found


def _expanded(node: Node) -> list[Node]:
    """A class of codes as its codes, everything else as it is."""
    if not isinstance(node, Text):
        return [node]
    family = _CLASS.fullmatch(node)
    if family:
        codes = [code for code in CODES if code // 100 == int(family[1])]
    elif node in ("known", "unknown"):
        codes = [code for code, row in CODES.items() if (row.origin == "test") == (node == "unknown")]
    else:
        return [node]
    spot = node.spot()
    return [Text(str(code), spot.origin, [spot.begin] * 3 + [spot.end]) for code in codes]


def _check_size(root: Map, rows: list[_Row]) -> None:
    count = sum(prod(map(len, row.values())) for row in rows)
    if count > MAX_CASES:
        raise root.keys_at[KEY].mistake(
            f"this makes {count:,} cases; at most {MAX_CASES:,} are allowed", "split the file"
        )


def _check_use(root: Map, rows: list[_Row]) -> None:
    """Every placeholder is known, and every variable is used."""
    found = list(survey(_template(root), rows[0]))
    for row in rows:
        before: Mapping[str, object] = {}
        for name, alternatives in row.items():
            found += [one for node in alternatives for one in survey(node, before)]
            before = {**before, name: None}
    wrong = [one for one in found if isinstance(one, Diagnostic)]
    unused = [name for name in rows[0] if name not in found]
    wrong += [
        _variable(root, name)
        .mistake(f"variable {quoted(name)} is not used", f"write {{{name}}} where it belongs")
        .diagnostic
        for name in unused
    ]
    if wrong:
        raise LanguageError(dict.fromkeys(wrong))


def _variable(root: Map, name: str) -> Spot:
    node = root[KEY]
    first = node[0] if isinstance(node, Seq) else node
    assert isinstance(first, Map)
    return first.keys_at[name]


def _in_ids(rows: list[_Row]) -> list[str]:
    """The variables that ids show: those of which every value is one word."""

    def is_word(node: Node) -> bool:
        return isinstance(node, Text) and _WORD.fullmatch(node) is not None

    return [name for name in rows[0] if all(is_word(node) for row in rows for node in row[name])]


def _values(row: _Row, budget: Budget) -> Iterator[Values]:
    for combination in product(*row.values()):
        values: Values = {}
        for name, node in zip(row, combination, strict=True):
            values[name] = Filler(dict(values), budget).node(node)
        yield values
