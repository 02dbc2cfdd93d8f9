"""The HTML report: one page, no script, nothing loaded, nothing from the wire becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import fork_records as made
import pytest

from sip_harness.model.entry import Log, Note, Record
from sip_harness.model.place import Place
from sip_harness.model.result import Result
from sip_harness.model.verdict import Finding, Outcome, Verdict
from sip_harness.report import html

VOID = {"meta", "br", "hr", "img", "input", "link"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "ul", "li", "b", "span", "table", "thead", "tbody",
    "tr", "th", "td", "a", "details", "summary", "div", "dl", "dt", "dd", "pre", "svg", "line", "text", "g", "rect",
    "polygon",
}  # fmt: skip


class Page(HTMLParser):
    """Reads a page, checks that every element is closed in order, and collects what tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.within_details: set[str] = set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag not in VOID:
            self.open.append((tag, found))
        if (key := found.get("id")) and any(t == "details" for t, _ in self.open[:-1]):
            self.within_details.add(key)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for tag, attributes in self.open:
            key = attributes.get("id") or tag
            self.texts[key] = self.texts.get(key, "") + data

    def ids(self) -> list[str]:
        return [str(a["id"]) for _, a in self.tags if "id" in a]

    def links(self) -> list[str]:
        return [str(a["href"]) for _, a in self.tags if "href" in a]


def page(*results: object) -> Page:
    return Page(html.render(results, made.source))  # type: ignore[arg-type]


ALL = (made.good, made.late, made.missing, made.hostile)


def test_it_is_written_as_one_file(tmp_path: Path) -> None:
    html.write(tmp_path / "report.html", [f() for f in ALL])
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert text.rstrip().endswith("</html>")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_nothing_is_loaded_or_run() -> None:
    found = page(*(f() for f in ALL))
    assert {tag for tag, _ in found.tags} <= ALLOWED
    attributes = {name for _, a in found.tags for name in a}
    assert not {a for a in attributes if a.startswith("on") or a in ("src", "action", "srcdoc", "style")}
    assert all(link.startswith("#") or re.fullmatch(r"[\w.-]+", link) for link in found.links())
    policies = [a["content"] for _, a in found.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert "url(" not in found.texts["style"]
    assert "@import" not in found.texts["style"]


def test_both_colour_schemes_have_every_colour() -> None:
    style = page().texts["style"]
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    names = {w.partition(":")[0] for w in light.split() if w.startswith("--")}
    assert names == {w.partition(":")[0] for w in dark.split() if w.startswith("--")}
    used = {w.split(")")[0] for w in style.split("var(")[1:]}
    assert used <= names


def test_links_lead_to_ids_inside_details() -> None:
    found = page(*(f() for f in ALL))
    ids = found.ids()
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in found.links() if link.startswith("#")} <= set(ids)
    assert set(ids) <= found.within_details


def test_a_long_time_without_a_message_breaks_the_lifelines() -> None:
    """As it does in the text ladder: 3 s look like 3 ms otherwise."""

    def broken(result: Result) -> int:
        return sum(tag == "line" and attributes.get("class") == "pause" for tag, attributes in page(result).tags)

    assert broken(made.good()) == 0
    assert broken(made.late()) == 4  # alice, the system and two phones


def test_arrows_lead_to_their_raw_message() -> None:
    found = page(made.late())
    record = made.late().record
    assert record is not None
    number = next(i for i, m in enumerate(record.messages) if m.data.startswith(b"CANCEL"))
    assert f"#r0-m{number}" in found.links()
    assert found.texts[f"r0-m{number}"].startswith("CANCEL sip:bob@127.0.0.1 SIP/2.0\nVia: ")


def test_what_devices_send_stays_text() -> None:
    text = html.render([made.hostile()], made.source)
    assert "<script" not in text
    assert all(ord(c) >= 32 or c == "\n" for c in text)
    found = Page(text)
    assert "600 <script>alert(1)</script>\\x1b[2J\\x00\\u202e&\"'" in found.texts["r0"]


def test_hostile_names_everywhere_stay_text() -> None:
    evil = "\"><script>x</script><img src=x onerror=1>\x1b\x00\udcff'`{{ 7*7 }}"
    base = made.hostile().record
    assert base is not None
    roles = tuple(replace(r, name=evil + str(i), why=evil) for i, r in enumerate(base.header.roles))
    header = replace(base.header, roles=roles, system=evil, versions={evil: evil}, faults=(evil,))
    entries = (*base.entries, Log(1, evil), Note(2, evil, "refused", evil, {evil: evil}))
    place = Place(evil, 1, 1)
    finding = Finding(Outcome.FAIL, evil, evil, evil, place, evil, missing_at=made.START)
    verdict = Verdict(Outcome.FAIL, (finding,), evil)
    result = made.result(Record(header, entries), verdict=verdict, system=evil, record_file=evil)
    result = replace(
        result, scenario=replace(made.scenario(id=evil, title=evil, cite=(evil,), place=place), covers=(evil,))
    )
    text = html.render([result], lambda _: [evil])
    found = Page(text)
    assert {tag for tag, _ in found.tags} <= ALLOWED
    assert not [a for _, attributes in found.tags for a in attributes if a.startswith("on") or a == "src"]
    assert "49" not in found.texts["summary"]
    text.encode()


def test_the_table_has_a_row_per_result_and_counts_every_verdict() -> None:
    skipped = made.result(None, verdict=Verdict(Outcome.SKIP, reason="kamailio lacks hunt"))
    found = page(made.good(), made.late(), skipped)
    rows = [a for tag, a in found.tags if tag == "td" and "verdict" in (a.get("class") or "")]
    assert [a["class"] for a in rows] == ["verdict fail", "verdict pass", "verdict skip"]
    counts = found.texts["ul"].split()
    assert counts == "1 pass 0 warn 0 deviation 1 fail 1 skip 0 blocked 0 inconclusive 0 error".split()  # noqa: SIM905
    assert "kamailio lacks hunt" in found.texts["r2"]


def test_failures_are_open_and_passes_are_closed() -> None:
    runs = [a for tag, a in page(made.good(), made.late()).tags if a.get("class") == "run"]
    assert ["open" in a for a in runs] == [True, False]


@pytest.mark.parametrize(
    "said",
    [
        "mobile: CANCEL", "it was due within 400ms", "RFC 3261 16.7 step 5", "^^^^^^",
        "the stack carries its script out", "prompt 0.4 s", "kamailio 5.6.3", "SIGABRT",
        "Assertion `0' failed", "ERROR: tm", "✗ CANCEL missing",
        "out/FK-01.jsonl",
    ],
)  # fmt: skip
def test_a_failure_has_all_that_explains_it(said: str) -> None:
    assert said in page(made.missing()).texts["r0"]


def test_a_missing_message_is_drawn_dashed_and_has_no_link() -> None:
    found = page(made.missing())
    rows = [a for tag, a in found.tags if tag == "g" and "missing" in str(a["class"])]
    assert [a["class"] for a in rows] == ["row other bad missing"]


def test_long_records_show_a_part_and_say_so() -> None:
    wire = made.Wire(made.header())
    for n in range(1000):
        wire.request(n, "alice", "sent", "OPTIONS", number=n + 1)
    record = wire.record()
    finding = Finding(Outcome.FAIL, "x", "y", "alice", message=record.messages[900])
    found = page(made.result(record, finding))
    shown = [i for i in found.ids() if "-m" in i]
    assert len(shown) == html.MAX_MESSAGES + 1
    assert "r0-m900" in shown
    assert f"({1000 - len(shown)} more are in the record)" in found.texts["h2"]


def test_no_result_is_a_page_too() -> None:
    assert "0 runs" in page().texts["h1"]


def test_record_and_capture_are_linked_where_they_lie_beside_the_page() -> None:
    assert {"FK-01.jsonl", "FK-01.pcapng"} <= set(page(made.missing()).links())
    odd = page(replace(made.missing(), record_file="out/javascript:x()#.jsonl"))
    assert all(link.startswith("#") for link in odd.links())


def test_the_table_says_in_a_line_why_something_did_not_hold() -> None:
    skipped = made.result(None, verdict=Verdict(Outcome.SKIP, reason="kamailio lacks hunt"))
    found = page(made.good(), made.late(), skipped)
    assert found.texts["title"].startswith("sip-harness: 1 of 3 runs did not hold")
    table = found.texts["table"]
    assert "CANCEL reached mobile" in table
    assert "kamailio lacks hunt" in table


def test_in_a_long_session_failures_stand_with_their_explanation_before_all_others() -> None:
    text = html.render([*(made.good() for _ in range(30)), made.late()], made.source)
    headings = ["1 did not hold</h2>", "ladder of FK-01", "30 others</h2>"]
    places = [text.index(heading) for heading in headings]
    assert places == sorted(places)
    assert "others</h2>" not in html.render([made.good(), made.late()], made.source)
