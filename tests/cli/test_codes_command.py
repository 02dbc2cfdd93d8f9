"""`sip-harness codes` as people and programs use it."""

import json
import re

import pytest
from click.testing import CliRunner

from sip_harness.cli.codes import codes
from sip_harness.script.pjsua2_limits import stack_adds
from sip_harness.sip.codes import CODES, NAMES


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)


def run(*words, **env):
    return CliRunner().invoke(codes, list(words), env=env or None)


def shown(*words, **env):
    result = run(*words, **env)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def loaded(*words):
    return json.loads(shown("--json", *words))


def test_all_codes_and_variants_one_line_each():
    head, *lines = shown().splitlines()
    assert head.split() == ["code", "name", "phrase", "next", "carrier", "caller"]
    assert [line.split()[1] for line in lines] == list(NAMES)
    assert [int(line.split()[0]) for line in lines] == [row.code for row in NAMES.values()]


def test_table_can_be_grepped():
    (line,) = [line for line in shown().splitlines() if re.search(r"\bbusy-here\b", line)]
    assert re.split(r" {2,}", line) == ["486", "busy-here", "Busy Here", "no", CODES[486].meaning]


def test_columns_line_up():
    lines = shown("5xx").splitlines()
    column = lines[0].index("next carrier")
    assert {line[column - 2 : column] for line in lines} == {"  "}
    assert all(line[column] != " " for line in lines)


def test_piped_output_is_plain():
    for words in ((), ("486",), ("4xx",)):
        text = shown(*words)
        assert "\x1b" not in text
        assert not re.search(r"[─━│┃]", text)
        assert all(line == line.rstrip() for line in text.splitlines())


def test_piped_lines_are_not_wrapped():
    assert shown(COLUMNS="20") == shown(COLUMNS="200")
    assert shown("486", COLUMNS="20") == shown("486", COLUMNS="200")


@pytest.mark.parametrize("word", ["486", "busy-here", "BUSY-HERE"])
def test_one_code_in_full(word):
    text = shown(word)
    assert text == shown("486")
    assert text.startswith("486 Busy Here\n")
    for part in ("busy-here", "RFC 3261 21.4.24, 13.3.1.3", "17 User busy", CODES[486].meaning, CODES[486].quirks):
        assert part in text


def test_headers_that_the_harness_adds_are_shown():
    assert 'harness adds     WWW-Authenticate: Digest realm="HOST", nonce="(new each time)"' in shown("401")
    text = shown("security-agreement-required")
    assert "harness adds     Security-Server: tls;q=0.2, digest;q=0.1" in text
    assert "harness adds     Require: sec-agree" in text
    assert "harness adds     a body, application/3gpp-ims+xml" in shown("380")
    assert "harness adds" not in shown("486")
    assert shown("401") == shown("401")


def test_headers_that_the_pjsua2_stack_adds_are_shown():
    for code in (180, 302, 405, 485):
        assert f"pjsua2 adds      {', '.join(stack_adds(code))}\n" in shown(str(code))
        assert loaded(str(code))[0]["pjsua2_adds"] == list(stack_adds(code)) != []
    assert "pjsua2 adds" not in shown("486")
    assert loaded("486")[0]["pjsua2_adds"] == []


def test_variants_are_shown_with_their_code():
    text = shown("603")
    assert "variant          network-blocked: 603 Network Blocked;" in text
    assert "    adds           Reason: Q.850;cause=21;" in text
    assert "    adds           X-Twilio-Error: 10001" in text
    assert "variant          insufficient-funds: 403 Insufficient funds;" in shown("forbidden")


def test_a_variant_by_its_name():
    text = shown("network-blocked")
    assert text.startswith("603 Network Blocked\n")
    assert "a variant from the field" in text


@pytest.mark.parametrize(
    ("word", "origin"),
    [("202", "deprecated"), ("409", "dropped by RFC 3261"), ("699", "made up"), ("431", "in no registry")],
)
def test_origin_of_odd_codes(word, origin):
    assert re.search(rf"origin +.*{origin}", shown(word))
    assert "origin" not in shown("486")


def test_several_codes_in_the_order_asked_for():
    text = shown("600", "ringing", "431")
    assert re.findall(r"(?m)^\d{3} .*", text) == ["600 Busy Everywhere", "180 Ringing", "431 Unknown Client Failure"]
    assert text.count("\n\n") == 2


@pytest.mark.parametrize("word", ["4xx", "4XX"])
def test_a_class(word):
    _, *lines = shown(word).splitlines()
    assert [line.split()[1] for line in lines] == [name for name, row in NAMES.items() if row.family == "4xx"]


def test_class_and_code_together():
    text = shown("6xx", "486")
    assert text.startswith("code ")
    assert "\n\n486 Busy Here\n" in text


def test_dialog_effect_only_where_a_response_can_have_one():
    assert "in a dialog      ends the dialog" in shown("404")
    assert "in a dialog" not in shown("180", "302")


def test_json_of_everything():
    rows = loaded()
    assert [row["code"] for row in rows] == list(CODES)
    keys = set(rows[0])
    assert all(set(row) == keys for row in rows)
    assert {row["failover"] for row in rows} == {"yes", "no", "depends", "n/a"}


def test_json_of_one_code():
    (row,) = loaded("busy-here")
    assert (row["code"], row["name"], row["phrase"], row["class"]) == (486, "busy-here", "Busy Here", "4xx")
    assert (row["origin"], row["failover"], row["q850"], row["ends"]) == ("iana", "no", "17 User busy", "transaction")
    assert row["adds"] == row["variants"] == []


def test_json_holds_headers_and_variants():
    (row,) = loaded("423")
    assert row["adds"] == [["Min-Expires", "3600"]]
    (row,) = loaded("603")
    assert [variant["name"] for variant in row["variants"]] == ["network-blocked", "carrier-account-inactive"]
    assert row["variants"][0]["adds"][0][0] == "Reason"
    (row,) = loaded("380")
    assert row["body_type"] == "application/3gpp-ims+xml"


def test_json_of_classes_and_codes_names_each_once():
    assert [row["code"] for row in loaded("600", "6xx", "431")] == [600, 603, 604, 606, 607, 608, 699, 431]


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize(
    ("word", "hint"),
    [("bussy-here", "did you mean busy-here"), ("busy", "did you mean busy-here"), ("7xx", ""), ("700", ""), ("", "")],
)
def test_unknown_word(word, hint, options):
    result = run(*options, "486", word)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"no response code {word!r}" in result.stderr
    assert hint in result.stderr


def test_unknown_word_cannot_drive_the_terminal():
    result = run("\x1b[31mred")
    assert result.exit_code == 2
    assert "\x1b" not in result.output


def test_unknown_option():
    assert run("--jsn").exit_code == 2


def test_colour_on_a_terminal():
    env = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "100"}
    assert re.search(r"\x1b\[[\d;]*3[0-7]m486", shown("4xx", **env))
    assert re.search(r"\x1b\[[\d;]*m486 Busy Here", shown("486", **env))


@pytest.mark.parametrize("words", [(), ("603",), ("4xx",)])
def test_no_color_is_obeyed(words):
    env = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "100"}
    assert "\x1b" in shown(*words, **env)
    assert "\x1b" not in shown(*words, NO_COLOR="1", **env)


@pytest.mark.parametrize("words", [(), ("603",), ("4xx",)])
def test_terminal_lines_fit_the_width(words):
    text = shown(*words, FORCE_COLOR="1", NO_COLOR="1", COLUMNS="80", TERM="xterm")
    assert max(map(len, text.splitlines())) <= 80


def test_words_on_a_terminal_are_those_of_the_pipe():
    def words(text):
        return sorted(text.split())

    assert words(shown("486", FORCE_COLOR="1", NO_COLOR="1", COLUMNS="400", TERM="xterm")) == words(shown("486"))


def test_help():
    text = shown("--help")
    assert "4xx" in text
    assert "--json" in text
