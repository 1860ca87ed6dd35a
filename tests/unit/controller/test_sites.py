"""Joint sessions over two sites: who may what, and that each line counts once, whatever the way."""

import json
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from contracts.api import SessionState
from contracts.api.sites import (
    Asked,
    FeedLine,
    GuestAsked,
    JointBody,
    JointVerb,
    LinkState,
    PartState,
    event_of,
)
from contracts.evidence.lines import sign_line, split_line
from contracts.observations import Condition
from contracts.units import UtcMs
from controller.core import alerts, remote, site_feed
from controller.core.outputs import Accepted, Refused
from controller.core.sessions import SessionVerb
from controller.core.sites import (
    DocumentFetched,
    FeedCame,
    HandoverOffered,
    JointMade,
    PeerHeard,
    ReceiptMade,
    SitesPlan,
    due_after,
    part_state,
)
from controller.core.state import AlertCame
from runtime.signing import SigningKey
from tests.fakes.controller_site import an_alert
from tests.fakes.two_sites import JOINT, Side, TwoSites, two_sites

HOUR_MS = 3_600_000


def over(side: Side) -> bool:
    return side.joint.ended


def state_at(side: Side) -> SessionState:
    """How a site's own session stands there."""
    return side.state.sessions[side.name].state


LIST, RECEIPT = "a" * 64, "b" * 64


def test_sealed_only_when_every_site_has_confirmed() -> None:
    sites = two_sites()
    sites.joined()
    assert sites.host.stands == "ready"
    sites.guest.not_ready = True
    assert isinstance(sites.host.do(JointVerb.SEAL), Accepted)
    assert state_at(sites.host) == SessionState.SEALED
    assert sites.host.stands == "sealing"
    sites.settle()

    theirs = sites.host.joint.parts["west"]
    assert sites.host.stands == "sealing"
    assert part_state(theirs) is PartState.READY
    assert theirs.refused is not None
    assert "does not record" in theirs.refused.en
    told = sites.guest.joint.host_says
    assert told is not None, "the guest must know that the host is sealed and it is not"
    assert {row.site: row.state.value for row in told.sites} == {"east": "sealed", "west": "ready"}

    sites.guest.not_ready = False
    sites.guest.session(SessionVerb.SEAL)  # its own people, by their own right
    sites.settle()
    assert sites.host.stands == "sealed"
    assert any("every site has confirmed" in text for text in sites.host.words())


def test_a_host_that_cannot_seal_asks_nobody() -> None:
    sites = two_sites()
    sites.joined()
    sites.host.not_ready = True
    sent = len(sites.host.sent)
    answer = sites.host.do(JointVerb.SEAL)
    assert isinstance(answer, Refused)
    assert "room-1" in answer.detail.en
    assert len(sites.host.sent) == sent
    assert state_at(sites.guest) == SessionState.GATHERING


def test_a_guest_that_has_not_answered_holds_the_seal_up() -> None:
    sites = two_sites()
    sites.joined()
    part = replace(sites.host.joint.parts["west"], accepted=None)
    sites.host.state = remote.put(sites.host.state, sites.host.joint.with_part(part))
    answer = sites.host.do(JointVerb.SEAL)
    assert isinstance(answer, Refused)
    assert "west" in answer.detail.en


def test_silence_is_told_and_the_sealed_host_stays_sealed() -> None:
    sites = two_sites()
    sites.joined()
    sites.host.do(JointVerb.SEAL)
    for _ in range(13):
        sites.host.pass_ms(10_000)
    assert sum("has not answered" in text for text in sites.host.words()) == 1
    assert state_at(sites.host) == SessionState.SEALED


@pytest.mark.parametrize("by_host", [True, False])
def test_who_suspended_decides_about_resuming(by_host: bool) -> None:
    sites = two_sites()
    sites.sealed()
    if by_host:
        assert isinstance(sites.host.do(JointVerb.SUSPEND), Refused), "a reason is needed"
        sites.host.do(JointVerb.SUSPEND, site="west", reason="fire drill")
    else:
        sites.guest.session(SessionVerb.SUSPEND)
    sites.settle()
    assert sites.host.stands == "suspended"
    assert state_at(sites.host) == SessionState.SEALED
    sites.host.do(JointVerb.RESUME, site="west", reason="over")
    sites.settle()
    if by_host:
        assert sites.host.stands == "sealed"
    else:
        assert sites.host.stands == "suspended"
        refused = sites.host.joint.parts["west"].refused
        assert refused is not None
        assert "its own people" in refused.en


def test_a_guest_has_no_right_over_the_host() -> None:
    sites = two_sites()
    sites.sealed()
    for verb in (JointVerb.SEAL, JointVerb.RELEASE, JointVerb.SUSPEND, JointVerb.CANCEL):
        answer = sites.guest.do(verb, reason="because")
        assert isinstance(answer, Refused), verb
    # And if its controller were someone's own: a signed line that asks the host to release.
    state, line = site_feed.say(
        sites.guest.state, "east", JOINT, Asked(verb=JointVerb.RELEASE, by="x"), sites.guest.now
    )
    sites.guest.state = state
    sites.guest.sent.append(line)
    sites.settle()
    assert state_at(sites.host) == SessionState.SEALED
    assert "may not say" in sites.host.refused[-1].reason.en
    assert sites.host.heard[-1].line == line.line, "kept as proof of what was tried"


def test_a_guests_alert_reaches_the_host_to_read_and_stays_out_of_its_handling() -> None:
    sites = two_sites()
    sites.sealed()
    sites.guest.take(AlertCame(an_alert("a1", session_id="west")))
    sites.carry(sites.host)
    line = split_line(sites.host.heard[-1].line.encode())
    told = json.loads(line.raw)["event"]
    assert (told["kind"], told["alert_id"], told["condition"]) == ("alert", "a1", "active")
    assert "picture_url" not in told
    assert not sites.host.state.alerts
    assert sites.host.heard[-1].subject == "a1"


def test_a_cut_link_suspends_at_the_limit_and_clears_when_it_is_back() -> None:
    sites = two_sites()
    sites.sealed()
    host = sites.host
    host.pass_ms(60_000)
    part = host.joint.parts["west"]
    assert part.fault_since_utc_ms == host.utc_ms - 60_000
    alert = next(iter(host.state.alerts.values()))
    assert alert.alert.rule == alerts.LINK_LOST
    assert alert.alert.session_id == "east"
    host.restart()
    host.pass_ms(4 * HOUR_MS - 61_000)
    assert host.stands == "sealed", "the limit counts from when it was last heard, and not before"
    host.pass_ms(2_000)
    assert state_at(host) == SessionState.SUSPENDED
    assert any("suspended by the rule" in text for text in host.words())
    assert len(host.state.alerts) == 1

    sites.guest.take(AlertCame(an_alert("a2", session_id="west")))  # it works on alone
    assert state_at(sites.guest) == SessionState.SEALED
    sites.settle()
    host.pass_ms(1_000)
    assert host.joint.parts["west"].fault_since_utc_ms is None
    assert state_at(sites.guest) == SessionState.SUSPENDED
    assert [row.subject for row in host.heard].count("a2") == 1
    conditions = {row.alert.condition for row in host.state.alerts.values()}
    assert conditions == {Condition.CLEARED}


def test_handing_over_has_a_deadline_is_urged_and_ends_in_a_receipt() -> None:
    sites = two_sites()
    sites.sealed()
    early = sites.guest.take(HandoverOffered(JOINT, LIST, 10, 3, 99, "clerk"))
    assert isinstance(early, Refused)
    sites.host.do(JointVerb.RELEASE, reason="done")
    sites.settle()
    assert sites.host.stands == "released"
    due = sites.host.joint.parts["west"].handover.due_utc_ms
    assert due is not None
    assert due == sites.guest.joint.parts["west"].handover.due_utc_ms
    assert not over(sites.host)
    sites.host.pass_ms(due - sites.host.utc_ms + 1)
    sites.host.pass_ms(1_000)
    sites.settle()
    assert sum("overdue" in text and "urged" in text for text in sites.host.words()) == 1
    assert sites.guest.joint.parts["west"].urged_utc_ms is not None

    sites.guest.take(HandoverOffered(JOINT, LIST, 10, 3, 99, "clerk"))
    sites.settle()
    assert remote.wanted(sites.host.state) == (("west", JOINT, LIST),)
    sites.host.take(DocumentFetched(JOINT, "west", LIST))
    assert remote.wanted(sites.host.state) == ()
    stale = sites.host.take(ReceiptMade(JOINT, "west", "c" * 64, RECEIPT, 3, 0, "sup"))
    assert isinstance(stale, Refused)
    sites.host.take(ReceiptMade(JOINT, "west", LIST, RECEIPT, 2, 1, "sup"))
    sites.settle()
    assert not over(sites.host), "one is missing"
    sites.host.take(ReceiptMade(JOINT, "west", LIST, RECEIPT, 3, 0, "sup"))
    sites.settle()
    assert over(sites.host)
    assert over(sites.guest)
    assert remote.wanted(sites.guest.state) == (("east", JOINT, RECEIPT),)


def test_a_line_counts_once_whatever_key_order_or_text_it_has() -> None:
    sites = two_sites()
    sites.joined()
    got = sites.host.state.remote.log("west").got
    sites.guest.session(SessionVerb.SEAL)
    lines = [row.line for row in sites.guest.sent if row.seq > got]
    forged = json.loads(split_line(lines[0].encode()).signed)
    thief = SigningKey.generate()

    class Forged(BaseModel):
        """The same members, to be signed by another key."""

        def model_dump(self, **_: object) -> dict[str, Any]:
            return dict(forged)

    bad = (
        "",
        "{}",
        "[" * 5_000,
        "\x00\ud7ff",
        lines[0][:-10],
        lines[0].replace('"west"', '"wset"', 1),
        sign_line(Forged(), thief.sign).decode(),
    )
    for text in bad:
        answers = sites.carry(sites.host, lines=[text])
        assert isinstance(answers[0], Refused), text[:40]
        assert sites.host.state.remote.log("west").got == got
        assert sites.host.state.remote.live["west"].link is LinkState.REFUSED
    assert isinstance(sites.carry(sites.host, lines=[sites.host.sent[0].line])[0], Refused)
    sites.settle()
    assert sites.host.state.remote.live["west"].link is LinkState.UP
    assert part_state(sites.host.joint.parts["west"]) is PartState.SEALED
    assert len(sites.host.refused) < len(bad) + 2


def test_a_newer_peers_line_is_kept_and_holds_nothing_up() -> None:
    sites = two_sites()
    sites.joined()

    class Newer(BaseModel):
        kind: str = "moonlight"
        lux: int = 3

    state, line = site_feed.say(sites.guest.state, "east", JOINT, Newer(), sites.guest.now)
    sites.guest.state = state
    sites.guest.sent.append(line)
    sites.guest.session(SessionVerb.SEAL)
    sites.settle()
    assert [row.event_kind for row in sites.host.heard].count("moonlight") == 1
    assert part_state(sites.host.joint.parts["west"]) is PartState.SEALED


def test_forty_single_seat_rooms_fit_into_lines() -> None:
    sites = two_sites()
    row = sites.guest.state.sessions["west"]
    rooms = {f"west-{number:02d}": replace(row, id=f"west-{number:02d}") for number in range(40)}
    sites.guest.state = replace(sites.guest.state, sessions=rooms)
    sites.host.take(_made(seats=40, rooms=40))
    sites.settle()
    sites.guest.do(JointVerb.ACCEPT, sessions=tuple(rooms))
    for name in rooms:
        sites.guest.session(SessionVerb.GATHER, name)
    sites.host.session(SessionVerb.GATHER)
    sites.settle()
    sites.host.do(JointVerb.SEAL)
    sites.settle()
    assert sites.host.stands == "sealed"
    assert len(sites.host.joint.parts["west"].sessions) == 40


def _made(*, seats: int, rooms: int) -> JointMade:
    body = JointBody(
        title="分散评标",
        sessions=("east",),
        guests=(GuestAsked(site="west", seats=seats, rooms=rooms),),
    )
    return JointMade(JOINT, body, "sup")


# --- the way between them -----------------------------------------------------------------------

DEEDS = st.sampled_from(
    ["seal", "suspend", "resume", "alert", "clear", "ask_suspend", "ask_resume", "urge"]
)
WAYS = st.lists(
    st.tuples(
        st.sampled_from(["host", "guest"]),
        st.sampled_from(["carry", "lose", "again", "shuffle", "part", "restart"]),
        st.integers(0, 50),
    ),
    max_size=6,
)


def _deed(sites: TwoSites, deed: str, number: int) -> None:
    guest, host = sites.guest, sites.host
    state = guest.state.sessions["west"].state
    match deed:
        case "seal" if state is SessionState.GATHERING:
            guest.session(SessionVerb.SEAL)
        case "suspend" if state is SessionState.SEALED:
            guest.session(SessionVerb.SUSPEND)
        case "resume" if state is SessionState.SUSPENDED:
            guest.session(SessionVerb.RESUME)
        case "alert":
            guest.take(AlertCame(an_alert(f"a{number}", session_id="west")))
        case "clear":
            cleared = an_alert(f"a{number - 1}", cleared_utc_ms=9_000, session_id="west")
            guest.take(AlertCame(cleared))
        case "ask_suspend":
            host.do(JointVerb.SUSPEND, site="west", reason="r")
        case "ask_resume":
            host.do(JointVerb.RESUME, site="west", reason="r")
        case "urge":
            host.do(JointVerb.URGE, site="west", reason="r")


def _way(sites: TwoSites, to: str, how: str, number: int) -> None:
    side = sites.host if to == "host" else sites.guest
    source = sites.guest if to == "host" else sites.host
    lines = [row.line for row in source.sent if row.peer == side.name]
    got = side.state.remote.log(source.name).got
    match how:
        case "carry":
            sites.carry(side)
        case "lose":
            pass
        case "again":
            sites.carry(side, lines=lines[max(0, got - 3) : got + 2])
        case "shuffle":
            sites.carry(side, lines=list(reversed(lines[got : got + 4])))
        case "part":
            sites.carry(side, lines=lines[got : got + number % 3])
        case "restart":
            side.restart()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(DEEDS, WAYS), max_size=8))
def test_lines_arrive_once_and_in_order_whatever_the_way(
    story: list[tuple[str, list[tuple[str, str, int]]]],
) -> None:
    sites = two_sites()
    sites.joined()
    for number, (deed, ways) in enumerate(story):
        _deed(sites, deed, number)
        for to, how, some in ways:
            _way(sites, to, how, some)
    sites.settle()
    for side, source in ((sites.host, sites.guest), (sites.guest, sites.host)):
        sent = [row.line for row in source.sent if row.peer == side.name]
        assert [row.line for row in side.heard] == sent
        assert [row.seq for row in side.heard] == list(range(1, len(sent) + 1))
    own = sites.guest.state.sessions["west"].state
    assert sites.host.joint.parts["west"].sessions["west"].state is own
    shown: dict[str, str] = {}
    for row in sites.host.heard:
        if row.event_kind == "alert":
            shown[row.subject] = json.loads(split_line(row.line.encode()).signed)["event"][
                "condition"
            ]
    assert shown == {
        key: row.alert.condition.value for key, row in sites.guest.state.alerts.items()
    }


# --- small things -------------------------------------------------------------------------------


def _ms(text: str) -> UtcMs:
    return UtcMs(int(datetime.fromisoformat(text).timestamp() * 1_000))


@pytest.mark.parametrize(
    ("since", "due"),
    [
        ("2026-11-20T10:00:00+08:00", "2026-11-27T23:59:59.999+08:00"),  # a Friday
        ("2026-11-21T10:00:00+08:00", "2026-11-27T23:59:59.999+08:00"),  # a Saturday
        ("2026-11-23T00:00:00+08:00", "2026-11-30T23:59:59.999+08:00"),
        ("2026-11-22T16:30:00+00:00", "2026-11-30T23:59:59.999+08:00"),  # Monday there already
        ("2026-09-29T09:00:00+08:00", "2026-10-12T23:59:59.999+08:00"),  # National Day
    ],
)
def test_working_days(since: str, due: str) -> None:
    holidays = frozenset(date(2026, 10, day) for day in range(1, 8))
    plan = SitesPlan(holidays=holidays, workdays=frozenset({date(2026, 10, 10)}))
    assert due_after(plan, _ms(since), "Asia/Shanghai") == _ms(due)


def test_a_worked_saturday_counts() -> None:
    plan = SitesPlan(workdays=frozenset({date(2026, 10, 10)}), handover_days=1)
    assert due_after(plan, _ms("2026-10-09T09:00:00+08:00"), "Asia/Shanghai") == _ms(
        "2026-10-10T23:59:59.999+08:00"
    )


def test_the_offset_of_a_peers_clock_is_kept_with_its_lines() -> None:
    sites = two_sites()
    sites.sealed()
    sites.guest.take(AlertCame(an_alert("a1", session_id="west")))
    sites.host.take(PeerHeard("west", 2_500, 40, None, lines=1))
    got = sites.host.state.remote.log("west").got
    sites.host.take(FeedCame("west", sites.guest.sent[got].line))
    assert sites.host.heard[-1].offset_ms == 2_500


def test_every_kind_of_line_can_be_read_back() -> None:
    sites = two_sites()
    sites.sealed()
    kinds = {row.event_kind for row in (*sites.host.heard, *sites.guest.heard)}
    assert {"invited", "answered", "part", "asked", "stands", "record"} <= kinds
    assert all(event_of(_line(row.line)) is not None for row in sites.host.heard)


def _line(text: str) -> FeedLine:
    return FeedLine.model_validate(json.loads(text))
