"""A back-to-back user agent as PBXs are: ring and hunt groups, accounts at carriers, every leg a call of its own
(RFC 3261 6, RFC 7092)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sip_harness.model.entry import Address
from sip_harness.model.faults import bridging, callers, dialogs, reading
from sip_harness.model.policy import Kind, Policy, Timer
from sip_harness.model.scenario import Scenario
from sip_harness.model.vocabulary import GRANTED
from sip_harness.net.clock import Clock
from sip_harness.systems.accounts import fresh_users
from sip_harness.systems.base import Binding, Lease
from sip_harness.systems.reference.auth import PASSWORD
from sip_harness.systems.reference.b2bua_core import Pbx, Settings
from sip_harness.systems.reference.embedded import Embedded
from sip_harness.systems.reference.routes import routes
from sip_harness.systems.reference.system import MOST

CAPABILITIES = frozenset({
    *GRANTED,
    "register", "ring", "hunt", "mixed", "path", "carriers", "carrier-accounts", "recursion", "session-timers", "tcp",
    "use-proxy", "bars-premium-numbers", "diversion", "hears-of-lost-connections", "max-contacts", "overlap",
    "anonymous-rejection", "voicemail-reason", "announcements",
})  # fmt: skip
WISHES = frozenset({"recursion", "anonymous-rejection", "overlap", "voicemail-reason", "announcements"})
"""Capabilities that calls to a user are treated by where a scenario needs them, and no other calls."""
_OF_PROXIES = ("forwards-surplus", "forwards-without-via", "takes-any-cseq", "takes-bad-requests")
"""Faults of handing on what a back-to-back user agent makes anew, or sees in another way."""
FAULTS = (
    "forks-on-after-6xx",
    "hunts-on-after-6xx",
    "sends-6xx-at-once",
    "one-486-ends-the-fork",
    "first-failure-wins",
    "stops-hunting-at-486",
    "maps-600-to-486",
    "rings-for-ever",
    "forgets-cancel",
    "ignores-callers-cancel",
    "drops-callers-reason",
    "swallows-2xx-after-cancel",
    "swallows-ringing",
    "drops-reason",
    "keeps-one-reason",
    "drops-retry-after",
    "drops-warning",
    "drops-body",
    "drops-unknown-headers",
    "ignores-icmp",
    "never-fails-over",
    "fails-over-on-486",
    "fails-over-on-484",
    "cuts-overlap-digits",
    "keeps-any-number-of-contacts",
    "refuses-refreshes-when-full",
    "ignores-q",
    "ignores-retry-after",
    "bans-after-503",
    "bans-after-refusal",
    "answers-challenge-for-ever",
    "never-retransmits",
    "acknowledges-once",
    "acknowledges-with-new-branch",
    "ignores-lost-connections",
    "gives-up-with-the-connection",
    *(fault.name for fault in reading.FAULTS if fault.name not in _OF_PROXIES),
    "sends-redirected-calls-back",
    "follows-redirects-in-circles",
    "follows-first-contact-only",
    "waits-after-empty-redirect",
    "forgets-path",
    "follows-sips-in-the-clear",
    "follows-redirects-to-premium-numbers",
    "takes-305-for-302",
    *(fault.name for topic in (callers, bridging, dialogs) for fault in topic.FAULTS),
)
_OF_DIGEST = ("challenges-with-401", "accepts-any-password")


def name_of(digest: bool = False) -> str:
    """Name of this variant."""
    return "reference-b2bua-digest" if digest else "reference-b2bua"


def capabilities_of(digest: bool = False) -> frozenset[str]:
    """What it can do in this variant, in the words of `needs`."""
    return CAPABILITIES | {"digest"} if digest else CAPABILITIES


def faults_of(digest: bool = False) -> tuple[str, ...]:
    """Fault switches of this variant, named as in the vocabulary."""
    return FAULTS + _OF_DIGEST if digest else FAULTS


class ReferenceB2bua(Embedded):
    """The PBX as a system under test."""

    kind: Kind = "b2bua"

    def __init__(self, *, settings: Settings | None = None, faults: Sequence[str] = ()) -> None:
        """Raises UnknownName for a fault that it does not have."""
        self._settings = settings or Settings()
        digest = self._settings.digest
        self.name = name_of(digest)
        self.capabilities = capabilities_of(digest)
        self.password = self._settings.password if digest else ""
        super().__init__(policy(self._settings), faults, faults_of(digest))
        self._pbx: Pbx | None = None
        self._users: dict[str, tuple[str, ...]] = {}

    def bind(self, scenario: Scenario, lease: Lease) -> Binding:
        """Fresh users for one run, an account at every carrier. Raises CannotBind with what is missing, SystemFailed
        before `start`."""
        binding = fresh_users(scenario, lease, self.info)
        ours = {name: replace(binding.users[name], password=PASSWORD) for name in binding.listens}
        return replace(binding, users={**binding.users, **ours})

    async def admit(self, scenario: Scenario, lease: Lease, binding: Binding) -> None:
        """Route what is dialled to the carriers of this run, and remember who will have to be forgotten: every run has
        users of its own."""
        users = [user.name for user in binding.users.values()]
        for dialled, carriers in routes(scenario, binding, accounts=True):
            users.append(dialled)
            if self._pbx is not None and carriers:
                self._pbx.router.add(dialled, carriers)
            if self._pbx is not None and "session-timers" in scenario.needs:
                self._pbx.timed.add(dialled)
            if self._pbx is not None:
                self._pbx.router.wish(dialled, scenario.needs & WISHES)
            if self._pbx is not None and "max-contacts" in scenario.needs:
                self._pbx.registrar.limit(dialled, MOST, self._settings.too_many_contacts)
        self._users[lease.token] = tuple(users)

    async def release(self, lease: Lease) -> None:
        """Forget what the agents of the run may have left: they have gone."""
        users = self._users.pop(lease.token, ())
        if self._pbx is not None:
            self._pbx.forget(users, f"-{lease.token}@")

    def _open(self, clock: Clock) -> Address:
        self._pbx = Pbx(clock, self._settings, frozenset(self._faults))
        return self._pbx.station.address

    def _close(self) -> None:
        pbx, self._pbx = self._pbx, None
        self._users.clear()
        if pbx is not None:
            pbx.close()


def policy(settings: Settings) -> Policy:
    """What the PBX may take its time for."""
    timers = {
        "transaction": Timer(settings.transaction),
        "ring": Timer(settings.ring),
        "session": Timer(settings.session),
    }
    codes = {"ring-timeout": settings.ring_timeout, **{str(of): told for of, told in settings.codes.items()}}
    prompt = min(0.4, settings.transaction / 2, settings.ring / 2)
    failover = tuple(sorted(settings.failover))
    return Policy(prompt=prompt, settle=0.1, timers=timers, codes=codes, failover=failover)
