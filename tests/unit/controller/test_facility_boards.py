"""What a board's topics mean, what is written for an order, and who may write which."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.devices import Named, Site
from contracts.facilities import (
    DoorBoardLink,
    DoorConfig,
    FireBoardLink,
    LiftBoardLink,
    LiftStopRelays,
    board_of,
)
from controller.core.doors import RENEW_MS
from controller.core.facility_words import (
    LET_GO,
    DoorOrder,
    DoorPosition,
    DoorSaid,
    FacilitySaid,
    FireSaid,
    LiftOrder,
    LiftSaid,
)
from controller.facilities.board_desk import INBOX_MAX, TELL_MS, BoardDesk, boards_of
from controller.facilities.boards import Board, WiredDoor, WiredFire, WiredLift
from runtime.clock import SimulatedClock
from runtime.mqtt import Outgoing
from runtime.site import load_site
from tests.fakes.bus import MemoryBroker, MemoryBus
from tests.fakes.offered import Offered
from zeroentry.broker_acl import acl_of
from zeroentry.facilities.model import Fault, SimDoor, SimLift, boards_for

NAME = Named(zh="门", en="Door")
CONFIGS = Path(__file__).parents[3] / "firmware_configs"
RELAY = DoorBoardLink(via="mqtt", board="relay-1", relay="door", contact="door_open")
COVER = DoorBoardLink(via="mqtt", board="relay-1", cover="door")
LIFT = LiftBoardLink(
    via="mqtt",
    board="relay-2",
    stops={f: LiftStopRelays(call=f"call_{f}", at=f"at_{f}") for f in ("g", "u")},
    door_open="door",
    hold="hold",
    reserve="reserve",
)


def test_a_door_with_a_contact_and_one_with_a_cover() -> None:
    relay, cover = WiredDoor("d", RELAY), WiredDoor("d", COVER)
    said = {"binary_sensor/door_open": "ON", "cover/door": "closing"}
    assert relay.said(said) == FacilitySaid("d", DoorSaid(DoorPosition.OPEN))
    assert relay.said({}) == FacilitySaid("d", DoorSaid(DoorPosition.BETWEEN))
    assert cover.said(said) == FacilitySaid("d", DoorSaid(DoorPosition.BETWEEN))
    assert cover.said({"cover/door": "open"}) == FacilitySaid("d", DoorSaid(DoorPosition.OPEN))
    assert relay.writes(DoorOrder(open=True), {}) == (("relay-1/switch/door/command", "ON"),)
    assert relay.writes(DoorOrder(open=False), {}) == (("relay-1/switch/door/command", "OFF"),)
    assert cover.writes(DoorOrder(open=False), {}) == (("relay-1/cover/door/command", "CLOSE"),)


def test_a_lift_stands_where_exactly_one_sensor_says_so() -> None:
    lift = WiredLift("l", LIFT)
    at_g = {"binary_sensor/at_g": "ON", "binary_sensor/door": "ON"}
    assert lift.said(at_g) == FacilitySaid("l", LiftSaid("g", door_open=True))
    both = {**at_g, "binary_sensor/at_u": "ON"}
    assert lift.said(both) == FacilitySaid("l", LiftSaid(None, door_open=True))
    call = lift.writes(LiftOrder("u", hold=False, reserve=True), at_g)
    assert call == (
        ("relay-2/switch/reserve/command", "ON"),
        ("relay-2/switch/hold/command", "OFF"),
        ("relay-2/switch/call_u/command", "ON"),
    )
    held = lift.writes(LiftOrder("g", hold=True, reserve=True), at_g)
    assert ("relay-2/switch/hold/command", "ON") in held
    assert not any("call" in topic for topic, _ in held), "it stands open there already"
    gone = dict(lift.writes(LET_GO, at_g))
    assert set(gone.values()) == {"OFF"}


@pytest.mark.parametrize(("word", "burning"), [("OFF", True), ("ON", False)])
def test_a_closed_loop_that_opens_is_fire(word: str, burning: bool) -> None:
    fire = WiredFire("f", FireBoardLink(via="mqtt", board="relay-1", input="loop"))
    assert fire.said({"binary_sensor/loop": word}) == FireSaid("f", burning)
    assert fire.said({}) == FireSaid("f", None)


def test_a_board_is_there_while_it_says_so_and_its_heartbeat_comes() -> None:
    board = Board("b", "relay-1", alive="alive", alive_within_ms=30_000)
    board.wired["d"] = WiredDoor("d", RELAY)
    board.take("relay-1/status", b"online", 0, retained=True)
    board.take("relay-1/binary_sensor/door_open/state", b"ON", 0, retained=True)
    assert not board.there(0), "what is retained may be the word of a board long dead"
    board.take("relay-1/sensor/alive/state", b"12", 1_000, retained=False)
    assert board.said(1_000) == {"d": FacilitySaid("d", DoorSaid(DoorPosition.OPEN))}
    assert board.said(32_000) == {"d": FacilitySaid("d", None)}
    board.take("relay-1/sensor/alive/state", b"50", 40_000, retained=False)
    board.take("relay-1/status", b"offline", 41_000, retained=False)
    board.take("relay-1/status", b"online", 42_000, retained=False)
    between = FacilitySaid("d", DoorSaid(DoorPosition.BETWEEN))
    assert board.said(42_000) == {"d": between}, "before its power cut it was open"


def test_words_that_are_none_of_the_boards_change_nothing() -> None:
    board = Board("b", "relay-1")
    board.wired["d"] = WiredDoor("d", RELAY)
    for topic, payload in (
        ("relay-1/binary_sensor/other/state", b"ON"),
        ("relay-1/binary_sensor/door_open/state", b"x" * 1_000),
        ("relay-1/binary_sensor/door_open/state/more", b"ON"),
        ("relay-1/debug", b"\xff\xfe"),
    ):
        board.take(topic, payload, 0, retained=False)
    assert board.states == {}
    assert not board.online


def tower() -> Site:
    return load_site(CONFIGS / "tower")


def test_each_board_may_write_its_states_and_read_its_commands_and_nothing_else() -> None:
    site = load_site(CONFIGS / "example")
    blocks = dict(
        block.split("\n", 1) for block in acl_of(site).split("user ")[1:] if "\n" in block
    )
    assert blocks["relay-1"].strip().split("\n") == [
        "topic write relay-1/status",
        "topic write relay-1/binary_sensor/fire_loop/state",
        "topic write relay-1/binary_sensor/passage_door_open/state",
        "topic write relay-1/switch/passage_door/state",
        "topic write relay-1/sensor/alive/state",
        "topic read relay-1/switch/passage_door/command",
    ]
    assert "topic write relay-1/switch/passage_door/command" in blocks["controller"]
    assert "topic write relay-1/status" not in blocks["controller"]
    assert "#" not in blocks["relay-1"]


def test_the_example_boards_file_has_every_component_that_the_site_names() -> None:
    """`deploy/setup/check-boards.sh` holds the file against ESPHome itself."""

    class Loader(yaml.SafeLoader):
        """YAML with ESPHome's secrets as plain words."""

    Loader.add_constructor("!secret", lambda _, node: str(node.value))
    site = load_site(CONFIGS / "example")
    for board in boards_of(site.facilities):
        text = (CONFIGS / "example" / "boards" / f"{board.name}.yaml").read_text(encoding="utf-8")
        file = yaml.load(text, Loader=Loader)  # a SafeLoader with one tag more
        assert file["mqtt"]["topic_prefix"] == board.prefix
        assert file["mqtt"]["discovery"] is False
        made = {
            f"{kind}/{re.sub('[^a-z0-9]', '_', row['name'].lower())}"
            for kind in ("switch", "binary_sensor", "sensor", "cover")
            for row in file.get(kind, ())
        }
        named = {key for row in board.wired.values() for key in row.read}
        assert named | {f"sensor/{board.alive}"} <= made
        check_fail_safe(board, file)


def check_fail_safe(board: Board, file: dict[str, Any]) -> None:
    """What a board does when it boots, and when broker or controller are gone."""
    mqtt = file["mqtt"]
    # Birth and will are ESPHome's own: `online` and `offline`, retained, on PREFIX/status.
    assert not {"birth_message", "will_message", "username", "password"} & mqtt.keys()
    assert {"certificate_authority", "client_certificate", "client_certificate_key"} <= mqtt.keys()
    assert seconds(mqtt["keepalive"]) <= 10, "without power it is to be known as away soon"
    assert mqtt["log_topic"] is None, "it may write its states and nothing else"
    assert mqtt["reboot_timeout"] == "0s", "a broker that is away is no reason to fall into a boot"
    assert "on_boot" not in file["esphome"]
    beats = next(row for row in file["sensor"] if row["name"].lower() == board.alive)
    assert 2 * seconds(beats["update_interval"]) <= board.alive_within_ms / 1_000
    scripts = {row["id"]: row for row in file["script"]}
    relays = {row["name"].lower().replace(" ", "_"): row for row in file["switch"]}
    renewed = {row["topic"]: row["then"] for row in mqtt["on_message"]}
    for wired in board.wired.values():
        for topic in wired.written:
            relay = relays[topic.split("/")[-2]]
            assert relay["restore_mode"] == "ALWAYS_OFF", "after a power cut nothing opens"
            (run,) = (step["script.execute"] for step in renewed[topic])
            script = scripts[run]
            assert script["mode"] == "restart", "each order renews it"
            assert [*script["then"][1].values()] == [relay["id"]]
            assert [*script["then"][1]] == ["switch.turn_off"]
            longest_s = seconds(script["then"][0]["delay"])
            assert RENEW_MS / 1_000 * 3 <= longest_s <= 120, "not between two orders, nor for long"


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def test_simulated_doors_and_lifts_move_as_real_ones_do() -> None:
    board = boards_for(tower().facilities)[0]
    door, lift = board.sims["kitchen-door"], board.sims["lift-1"]
    assert isinstance(door, SimDoor)
    assert isinstance(lift, SimLift)
    board.tell("cover", "kitchen_door", "OPEN", 0)
    board.tell("switch", "lift_1_call_floor_3", "ON", 0)
    board.move(0, 1_500)
    assert door.states() == {"cover/kitchen_door": "opening"}
    for at in range(1_500, 12_000, 100):
        board.move(at, at + 100)
    assert door.states() == {"cover/kitchen_door": "open"}
    said = lift.states()
    assert said["binary_sensor/lift_1_at_floor_3"] == "ON"
    assert said["binary_sensor/lift_1_at_floor_1"] == "OFF"
    assert said["binary_sensor/lift_1_door"] == "ON"
    for at in range(12_000, 75_000, 1_000):
        board.move(at, at + 1_000)
    assert door.states() == {"cover/kitchen_door": "closed"}, "not renewed for a minute"
    assert lift.states()["binary_sensor/lift_1_door"] == "OFF"
    assert board.script("kitchen-door stuck")
    assert door.fault is Fault.STUCK
    assert not board.script("kitchen-door burning")
    assert not board.script("nobody stuck")


def test_simulated_links_name_a_boards_components() -> None:
    lift = next(iter(tower().lifts))
    link = board_of(lift)
    assert isinstance(link, LiftBoardLink)
    assert link.stops["floor-2"].call == "lift_1_call_floor_2"


def test_what_the_broker_kept_of_yesterday_is_forgotten_when_the_board_comes() -> None:
    board = Board("b", "relay-1")
    board.wired["d"] = WiredDoor("d", RELAY)
    board.take("relay-1/status", b"offline", 0, retained=True)
    board.take("relay-1/binary_sensor/door_open/state", b"ON", 0, retained=True)
    assert board.said(0) == {"d": FacilitySaid("d", None)}
    board.take("relay-1/status", b"online", 1_000, retained=False)
    between = FacilitySaid("d", DoorSaid(DoorPosition.BETWEEN))
    assert board.said(1_000) == {"d": between}, "it has not yet said how its door stands"
    board.take("relay-1/binary_sensor/door_open/state", b"ON", 1_100, retained=False)
    assert board.said(1_100) == {"d": FacilitySaid("d", DoorSaid(DoorPosition.OPEN))}


def test_a_board_that_says_its_states_before_it_says_online_is_believed() -> None:
    board = Board("b", "relay-1")
    board.wired["d"] = WiredDoor("d", RELAY)
    board.take("relay-1/binary_sensor/door_open/state", b"OFF", 0, retained=True)
    board.take("relay-1/binary_sensor/door_open/state", b"ON", 1, retained=False)
    board.take("relay-1/status", b"online", 2, retained=False)
    assert board.said(2) == {"d": FacilitySaid("d", DoorSaid(DoorPosition.OPEN))}


def test_our_own_orders_are_no_sign_that_a_board_lives() -> None:
    board = Board("b", "relay-1", alive="alive", alive_within_ms=30_000)
    board.wired["d"] = WiredDoor("d", RELAY)
    board.take("relay-1/status", b"online", 0, retained=True)
    for at in range(0, 60_000, 1_000):  # an open broker echoes what we write
        board.take("relay-1/switch/door/command", b"ON", at, retained=False)
        board.take("relay-1/debug", b"a log line", at, retained=False)
    assert not board.there(60_000)


@asynccontextmanager
async def a_desk() -> AsyncIterator[tuple[BoardDesk, Offered, MemoryBus, SimulatedClock]]:
    clock = SimulatedClock()
    broker = MemoryBroker(clock)
    door = DoorConfig(kind="door", id="d", name=NAME, ways=(("a", "b"),), link=RELAY)
    desk = BoardDesk(broker.client("house"), clock, (door,), connected=lambda: True)
    service = Offered()
    task = asyncio.create_task(desk.run(service))
    await clock.settle()
    try:
        yield desk, service, broker.client("relay-1"), clock
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def say(board: MemoryBus, topic: str, word: str) -> None:
    await board.publish(Outgoing(f"relay-1/{topic}", word.encode(), retain=True))


CONTACT = "binary_sensor/door_open/state"


async def test_a_contact_that_bounces_does_not_take_the_controllers_time() -> None:
    async with a_desk() as (desk, service, board, clock):
        await say(board, "status", "online")
        await clock.run_ms(100)
        before = len(service.words)
        for turn in range(1_000):  # a millisecond each
            await say(board, CONTACT, ("ON", "OFF")[turn % 2])
            await clock.run_ms(1)
        await clock.run_ms(200)
        told = len(service.words) - before
        assert 10 <= told <= 1_000 / TELL_MS + 15
        assert service.words[-1] == FacilitySaid("d", DoorSaid(DoorPosition.SHUT))
        assert desk.counts["dropped"] == 0


async def test_a_board_that_floods_is_not_believed_until_it_says_its_words_again() -> None:
    async with a_desk() as (desk, service, board, clock):
        await say(board, "status", "online")
        await say(board, CONTACT, "ON")
        await clock.run_ms(100)
        assert service.words[-1] == FacilitySaid("d", DoorSaid(DoorPosition.OPEN))
        await say(board, CONTACT, "OFF")
        await clock.settle()  # it is read, and the desk gathers what comes next
        for _ in range(3 * INBOX_MAX):
            await say(board, "sensor/noise/state", "1")
        await clock.run_ms(100)
        assert desk.counts["dropped"] > 0
        assert service.words[-1] == FacilitySaid("d", DoorSaid(DoorPosition.BETWEEN))
        await say(board, CONTACT, "ON")
        await clock.run_ms(100)
        assert service.words[-1] == FacilitySaid("d", DoorSaid(DoorPosition.OPEN))


async def test_a_reboot_between_two_looks_is_told_and_nothing_said_before_it_counts() -> None:
    async with a_desk() as (_, service, board, clock):
        for topic, word in (("status", "online"), (CONTACT, "ON")):
            await say(board, topic, word)
        await clock.run_ms(100)
        before = len(service.words)
        for topic, word in (("status", "offline"), ("status", "online"), (CONTACT, "OFF")):
            await say(board, topic, word)
        await clock.run_ms(100)
        shut = FacilitySaid("d", DoorSaid(DoorPosition.SHUT))
        assert service.words[before] == FacilitySaid("d", None), "its orders are given anew"
        assert service.words[-1] == shut
        assert FacilitySaid("d", DoorSaid(DoorPosition.OPEN)) not in service.words[before:]
