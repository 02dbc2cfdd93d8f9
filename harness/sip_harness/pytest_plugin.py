"""Scenarios as pytest items, and the `sip` fixture.

The run happens in a fixture and the verdict in the call: so what is the harness's or the machine's fault is an *error*
in every report, and only what the system did wrong is a *failure*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sip_harness.pytest_runtime import Runtime

if TYPE_CHECKING:
    from sip_harness.model.result import Result
    from sip_harness.model.scenario import Scenario
    from sip_harness.pytest_sip import Sip

# The heavy imports are made where they are first needed: every pytest run on this machine loads this plugin.


class SipFailure(AssertionError):
    """The system broke an expectation. The message is the whole explanation, what was seen in its first line."""

    __module__ = "builtins"  # pytest puts the module before the name, and its summary has no room for both and a reason


class NotJudged(Exception):
    """No verdict on the system: blocked, inconclusive, or the scenario is wrong. The message says why."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sip-harness", "scenarios of SIP systems")
    for name, default, help_text in (
        ("system", "reference", "system under test: a name or a profile, *.system.yaml (default: reference)"),
        ("stack", "auto", "stack of devices whose scenario leaves it open: auto, pjsua2 or wire"),
        ("out", "", "directory for report.html, records and captures"),
        ("jobs", "1", "scenarios side by side; selected items run ahead of their turn"),
    ):
        group.addoption(f"--sip-{name}", dest=f"sip_{name}", default=None, metavar=name.upper(), help=help_text)
        parser.addini(f"sip_{name}", help_text, default=default)
    strict = "a broken SHOULD is a failure"
    group.addoption("--sip-strict", dest="sip_strict", action="store_true", default=None, help=strict)
    parser.addini("sip_strict", strict, type="bool", default=False)
    disruptive = "let disruptive scenarios onto an external system"
    group.addoption("--sip-disruptive", dest="sip_disruptive", action="store_true", default=None, help=disruptive)
    parser.addini("sip_disruptive", disruptive, type="bool", default=False)
    faults = "make the system go wrong in this way (may be repeated)"
    group.addoption("--sip-fault", dest="sip_fault", action="append", default=None, metavar="NAME", help=faults)
    parser.addini("sip_fault", faults, type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    runtime = config.stash[_RUNTIME] = Runtime(config)
    runtime.check()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    session.config.stash[_RUNTIME].finish(session)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What an xdist worker had to say at its end."""
    node.config.stash[_RUNTIME].gather(getattr(node, "workeroutput", {}))


def pytest_unconfigure(config: pytest.Config) -> None:
    if runtime := config.stash.get(_RUNTIME, None):
        runtime.close()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SipFile | None:
    if file_path.name.endswith(".sip.yaml"):
        return SipFile.from_parent(parent, path=file_path)
    return None


def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[_RUNTIME].items = [item for item in session.items if isinstance(item, SipItem)]


def pytest_report_header(config: pytest.Config) -> str:
    return f"sip-harness: system {config.stash[_RUNTIME].option('system')}"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    runtime = config.stash[_RUNTIME]
    for line in runtime.remarks:
        terminalreporter.write_line(line)


class SipFile(pytest.File):
    """A scenario file."""

    def collect(self) -> Iterable[pytest.Item]:
        from sip_harness.language import load

        for scenario in load([self.path]):
            for tag in scenario.tags:
                self.config.addinivalue_line("markers", f"{tag}: a tag of scenarios")
            yield SipItem.from_parent(self, name=scenario.id, callobj=_verdict, scenario=scenario)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """An author's mistakes without a traceback."""
        from sip_harness.language import LanguageError

        if isinstance(excinfo.value, LanguageError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)


class SipItem(pytest.Function):
    """One scenario."""

    def __init__(self, *, scenario: Scenario, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scenario = scenario
        for tag in scenario.tags:
            self.add_marker(tag)
        self.extra_keyword_matches.update(scenario.covers)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, max(self.scenario.place.line - 1, 0), f"{self.name} {self.scenario.title}"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The explanation and the ladder instead of a traceback."""
        if isinstance(excinfo.value, SipFailure | NotJudged) or type(excinfo.value).__name__ in (
            "SystemFailed",
            "LanguageError",
        ):
            return str(excinfo.value)
        return super().repr_failure(excinfo)


def _verdict(sip_result: Result, request: pytest.FixtureRequest) -> None:
    """Fail if the system did."""
    judge_result(sip_result, strict=request.config.stash[_RUNTIME].strict)


def judge_result(result: Result, *, strict: bool) -> None:
    """Turn a verdict on the system into pytest's terms. Raises SipFailure, or pytest's own xfail."""
    __tracebackhide__ = True
    from sip_harness.model.verdict import Outcome

    outcome = result.verdict.outcome
    if outcome is Outcome.FAIL or (strict and outcome is Outcome.WARN):
        raise SipFailure(_explained(result))
    if outcome is Outcome.DEVIATION:
        pytest.xfail(result.verdict.reason)


def refuse_unjudged(result: Result) -> None:
    """Skip, or raise NotJudged, where nothing can be said of the system."""
    __tracebackhide__ = True
    from sip_harness.model.verdict import Outcome

    if result.verdict.outcome is Outcome.SKIP:
        pytest.skip(result.verdict.reason)
    if result.verdict.outcome in (Outcome.BLOCKED, Outcome.INCONCLUSIVE, Outcome.ERROR):
        raise NotJudged(_explained(result))


def _explained(result: Result) -> str:
    """The explanation below its reason: of a failure pytest repeats one line in its summary, the first."""
    from sip_harness.report import explain, summary

    return f"{summary.reason(result)}\n\n{explain.text(result)}"


@pytest.fixture
def sip_result(request: pytest.FixtureRequest) -> Result:
    """The result of this item's scenario."""
    item = request.node
    assert isinstance(item, SipItem)
    runtime = request.config.stash[_RUNTIME]
    result = runtime.result_of(item)
    runtime.keep(item, result)
    refuse_unjudged(result)
    return result


@pytest.fixture
def sip(request: pytest.FixtureRequest) -> Iterator[Sip]:
    """A scenario in Python, with the words of scenario files."""
    from sip_harness.pytest_sip import Sip

    runtime = request.config.stash[_RUNTIME]
    runtime.settled()

    def run(scenario: Scenario) -> Result:
        __tracebackhide__ = True
        result = runtime.background([scenario]).submit(scenario).result()
        runtime.keep(request.node, result)
        refuse_unjudged(result)
        judge_result(result, strict=runtime.strict)
        return result

    twin = Sip(request.node.name, run)
    yield twin
    twin.check_used()


_RUNTIME = pytest.StashKey[Runtime]()
