"""Scenarios as pytest items, and the `sip` fixture.

The run happens in a fixture and the verdict in the call: so what is the harness's or the machine's fault is an *error*
in every report, and only what the system did wrong is a *failure*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sip_harness.model.result import Result
    from sip_harness.model.scenario import Scenario
    from sip_harness.pytest_sip import Sip
    from sip_harness.run.background import Background
    from sip_harness.systems.base import System

# The heavy imports are made where they are first needed: every pytest run on this machine loads this plugin.


_REMARKS = "sip_harness_remarks"
_STACKS = ("auto", "pjsua2", "wire")


class SipFailure(AssertionError):
    """The system broke an expectation. The message is the whole explanation."""


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
    node.config.stash[_RUNTIME].remarks += getattr(node, "workeroutput", {}).get(_REMARKS, [])


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
    from sip_harness.report import explain

    outcome = result.verdict.outcome
    if outcome is Outcome.FAIL or (strict and outcome is Outcome.WARN):
        raise SipFailure(explain.text(result))
    if outcome is Outcome.DEVIATION:
        pytest.xfail(result.verdict.reason)


def refuse_unjudged(result: Result) -> None:
    """Skip, or raise NotJudged, where nothing can be said of the system."""
    __tracebackhide__ = True
    from sip_harness.model.verdict import Outcome
    from sip_harness.report import explain

    if result.verdict.outcome is Outcome.SKIP:
        pytest.skip(result.verdict.reason)
    if result.verdict.outcome in (Outcome.BLOCKED, Outcome.INCONCLUSIVE, Outcome.ERROR):
        raise NotJudged(explain.text(result))


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


class Runtime:
    """What this pytest process keeps running: one session on one system, begun with the first scenario."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._background: Background | None = None
        self._ahead: dict[SipItem, Future[Result]] = {}
        self.items: list[SipItem] = []
        self.results: list[Result] = []
        self.remarks: list[str] = []

    def option(self, name: str) -> Any:
        """An option of the command line, else of the ini file."""
        given = self._config.getoption(f"sip_{name}")
        return self._config.getini(f"sip_{name}") if given is None else given

    @property
    def strict(self) -> bool:
        return bool(self.option("strict"))

    def check(self) -> None:
        """Refuse options that no item could run with. The system waits for the first item: this happens in every pytest
        run on the machine, also where nobody runs a scenario. Raises pytest.UsageError."""
        stack, out = str(self.option("stack")), str(self.option("out"))
        if stack not in _STACKS:
            raise pytest.UsageError(f"--sip-stack: {stack!r} is none of {', '.join(_STACKS)}")
        _ = self._jobs
        if out and Path(out).exists() and not Path(out).is_dir():
            raise pytest.UsageError(f"--sip-out: {out} is no directory")

    def _system(self) -> System:
        """The system under test. Raises pytest.UsageError for one that there is not."""
        from sip_harness.language import LanguageError
        from sip_harness.run.systems import find_system

        try:
            return find_system(
                self.option("system"), faults=tuple(self.option("fault")), disruptive=bool(self.option("disruptive"))
            )
        except (LanguageError, ValueError) as error:
            raise pytest.UsageError(str(error)) from None

    def _directory(self) -> Path | None:
        """Where records go, made if need be. Raises pytest.UsageError."""
        if not self.option("out"):
            return None
        out = Path(self.option("out"))
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise pytest.UsageError(f"--sip-out: {out} cannot be made: {error.strerror}") from None
        return out

    def settled(self) -> tuple[System, Path | None]:
        """The system, and where records go. What is wrong with either ends the item, without a traceback."""
        try:
            return self._system(), self._directory()
        except pytest.UsageError as error:
            why = str(error)
        pytest.fail(why, pytrace=False)

    def background(self, scenarios: Iterable[Scenario]) -> Background:
        """The session; these scenarios tell how many workers it needs ahead."""
        if self._background is None:
            from sip_harness.run.background import Background
            from sip_harness.run.session import Options

            system, out = self.settled()
            self._background = Background(system, Options(self.option("stack"), self._jobs, out), scenarios)
        return self._background

    def result_of(self, item: SipItem) -> Result:
        """The result of an item; the items after it begin while this one is still watched."""
        background = self.background([i.scenario for i in self.items])
        at = self.items.index(item)
        # Under xdist another process may run the next items.
        window = 1 if hasattr(self._config, "workerinput") else self._jobs + 1
        for following in self.items[at : at + window]:
            if following not in self._ahead:
                self._ahead[following] = background.submit(following.scenario)
        return self._ahead[item].result()

    def keep(self, item: pytest.Item, result: Result) -> None:
        """Remember a result for the reports and tell JUnit about it."""
        self.results.append(result)
        properties = {"sip.id": result.scenario.id, "sip.system": result.system}
        properties |= {"sip.rfc": "; ".join(result.scenario.cite)} if result.scenario.cite else {}
        roles = result.record.header.roles if result.record else ()
        properties |= {f"sip.stack.{role.name}": role.stack for role in roles}
        item.user_properties.extend(properties.items())

    def finish(self, session: pytest.Session) -> None:
        """Stop everything and write the reports. Where they cannot be written the run has not ended well: CI would keep
        half of them and believe in it."""
        self.close()
        try:
            if self.results and self.option("out"):
                self._write(Path(self.option("out")))
        except OSError as error:
            why = f"sip-harness: the reports could not be written to {self.option('out')}: {error.strerror or error}"
            self.remarks.append(why)
        if self.remarks and hasattr(self._config, "workeroutput"):  # xdist: the process that shows them is another
            self._config.workeroutput[_REMARKS] = self.remarks
        if self.remarks and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def close(self) -> None:
        """Stop everything."""
        if self._background is not None:
            self._background.close()
            self._background = None

    def _write(self, out: Path) -> None:
        from sip_harness.report.files import keep_all

        worker = getattr(self._config, "workerinput", {}).get("workerid", "")
        keep_all(self.results, out, suffix=f"-{worker}" if worker else "", strict=self.strict)

    @property
    def _jobs(self) -> int:
        text = str(self.option("jobs"))
        if not text.isdigit() or not 1 <= int(text) <= 64:
            raise pytest.UsageError(f"--sip-jobs: {text!r} is no number from 1 to 64")
        return int(text)


_RUNTIME = pytest.StashKey[Runtime]()
