"""What one pytest process keeps running for its scenarios: a session on one system, begun with the first of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from sip_harness.pytest_gather import hand_over, in_order, take_over

if TYPE_CHECKING:
    from sip_harness.model.result import Result
    from sip_harness.model.scenario import Scenario
    from sip_harness.run.background import Background
    from sip_harness.systems.base import System

# The heavy imports are made where they are first needed: every pytest run on this machine loads this module.

_REMARKS = "sip_harness_remarks"
_STACKS = ("auto", "pjsua2", "wire")


class Item(Protocol):
    """A pytest item that is one scenario."""

    scenario: Scenario


class Runtime:
    """The options of this run, its session and what it has to report."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._background: Background | None = None
        self._ahead: dict[Item, Future[Result]] = {}
        self.items: Sequence[Item] = ()
        """What is to be run here, in order."""
        self.results: list[Result] = []
        self.remarks: list[str] = []
        self._told = ""
        """What was last said of a system that there is not: many items would say it."""

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
        first, _, more = why.partition("\n")
        told, self._told = self._told, why
        pytest.fail(f"{first} (all of it at the first scenario)" if more and why == told else why, pytrace=False)

    def background(self, scenarios: Iterable[Scenario]) -> Background:
        """The session; these scenarios tell how many workers it needs ahead."""
        if self._background is None:
            from sip_harness.run.background import Background
            from sip_harness.run.session import Options

            system, out = self.settled()
            self._background = Background(system, Options(self.option("stack"), self._jobs, out), scenarios)
        return self._background

    def result_of(self, item: Item) -> Result:
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
        output = getattr(self._config, "workeroutput", None)
        try:
            if output is None and self.results and self.option("out"):
                self._write(Path(self.option("out")))
        except OSError as error:
            why = f"sip-harness: the reports could not be written to {self.option('out')}: {error.strerror or error}"
            self.remarks.append(why)
        if output is not None:  # xdist: the process that shows and writes all that is another
            output[_REMARKS] = self.remarks
            if self.results and self.option("out"):
                hand_over(output, self.results)
        if self.remarks and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def gather(self, output: dict[str, Any]) -> None:
        """Take what an xdist worker has found."""
        self.remarks += output.get(_REMARKS, [])
        self.results = in_order([*self.results, *take_over(output)])

    def close(self) -> None:
        """Stop everything."""
        if self._background is not None:
            self._background.close()
            self._background = None

    def _write(self, out: Path) -> None:
        from sip_harness.report.files import keep_all

        keep_all(self.results, out, strict=self.strict)

    @property
    def _jobs(self) -> int:
        text = str(self.option("jobs"))
        if not text.isdigit() or not 1 <= int(text) <= 64:
            raise pytest.UsageError(f"--sip-jobs: {text!r} is no number from 1 to 64")
        return int(text)
