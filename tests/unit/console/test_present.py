"""What the pages are given to draw: the decisions that a person would notice."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from contracts.api import (
    ArrivalView,
    CustodyEvent,
    DeliveryKind,
    DeliveryState,
    DeliveryView,
    Found,
    Handling,
    Inspection,
    Leg,
    MapNodeView,
    OrderLine,
    OrderTerms,
    ReleaseView,
    RobotCondition,
    RoomView,
    Sentence,
    SessionState,
    ZonePassage,
    ZoneVerdict,
    ZoneView,
)
from contracts.api.facilities import (
    FacilitiesView,
    FacilityCondition,
    FacilityView,
    FireView,
    FloorView,
    MapDoorView,
    MapLiftView,
    MapStopView,
    MapView,
    OneLaneView,
)
from contracts.api.floor import HoldView, RemovalView
from contracts.api.outside import ListeningView
from contracts.devices import Named, ZonePolicy
from contracts.observations import CameraState, NodeState
from contracts.units import UtcMs
from controller.console.house import ALERTS_MAX, House, changed, from_overview
from controller.console.present import alerts, deliveries, dispatch, floor, orders, rooms, sessions
from controller.console.present.words import Words, number
from controller.console.texts import Language
from runtime.clock import SimulatedClock
from tests.fakes.console_controller import SITE, FakeController

EN = Words(Language.EN, ZoneInfo("Asia/Shanghai"))
ZH = Words(Language.ZH, ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def fake() -> FakeController:
    return FakeController(SimulatedClock(), origin="http://127.0.0.1:8001")


def house_of(fake: FakeController) -> House:
    return from_overview(fake.overview())


def meal(state: DeliveryState, **more: object) -> DeliveryView:
    return DeliveryView.model_validate(
        {
            "id": "d-1", "room_id": "room-1", "session_id": "s-1", "kind": "meal",
            "lines": (OrderLine(dish="tea", count=2),), "state": state, "ordered_utc_ms": 1_000,
            "ordered_by": "visitor", **more,
        }
    )  # fmt: skip


def tile(fake: FakeController, **changes: object) -> dict[str, object]:
    room: RoomView = fake.rooms["room-1"].model_copy(update=changes)
    (drawn,) = rooms.tiles(
        from_overview(fake.overview().model_copy(update={"rooms": (room,)})), {}, set(), EN
    )
    return drawn


@pytest.mark.parametrize(
    ("count", "admitted", "shown", "state"),
    [
        (5, 5, "5", "ok"),
        (6, 5, "6", "over"),
        (4, 5, "4", "under"),
        (3, None, "3", "free"),
        (0, 5, "0", "under"),
        (None, 5, "–", "unseen"),
    ],
)
def test_the_count_is_never_guessed(
    fake: FakeController, count: int | None, admitted: int | None, shown: str, state: str
) -> None:
    drawn = tile(fake, head_count=count, admitted=admitted)
    assert (drawn["count"], drawn["count_state"]) == (shown, state)


def test_a_tile_is_outlined_by_its_gravest_standing_alert(fake: FakeController) -> None:
    fake.raise_alert("room-1")
    fake.warn()
    by_room = {drawn["id"]: drawn for drawn in rooms.tiles(house_of(fake), {}, set(), ZH)}
    assert by_room["room-1"]["alarm"] == "alarm"
    assert by_room["room-1"]["alarm_label"] == "区域内人数超过准入人数"
    assert by_room["room-2"]["alarm"] == "warning"
    assert by_room["corridor-1"]["alarm"] is None


def test_a_cleared_alert_that_somebody_has_seen_no_longer_outlines(fake: FakeController) -> None:
    alert = fake.warn()
    fake.put(alert.model_copy(update={"handling": Handling.ACKNOWLEDGED}))
    by_room = {drawn["id"]: drawn for drawn in rooms.tiles(house_of(fake), {}, set(), EN)}
    assert by_room["room-2"]["alarm"] is None


def test_only_tiles_that_changed_are_drawn_anew(fake: FakeController) -> None:
    wall, house = rooms.Tiles("visitor"), house_of(fake)
    drawn, fresh = wall.draw(house, {}, set(), EN)
    assert fresh == drawn
    again, fresh = wall.draw(house, {}, set(), EN)
    assert (fresh, [one is other for one, other in zip(drawn, again, strict=True)]) == (
        [],
        [True] * len(drawn),
    )
    fuller = fake.rooms["room-2"].model_copy(update={"head_count": 4})
    _, fresh = wall.draw(changed(house, fuller), {}, set(), EN)
    assert [(one["id"], one["count"]) for one in fresh] == [("room-2", "4")]
    _, fresh = wall.draw(house, {}, {"room-1"}, EN)
    assert [one["id"] for one in fresh] == ["room-1", "room-2"]


def test_a_tile_is_one_sentence_for_those_who_hear_it(fake: FakeController) -> None:
    fake.raise_alert("room-1")
    tile = rooms.tiles(house_of(fake), {}, set(), EN)[0]
    assert tile["spoken"] == (
        "Evaluation room 1, More people than admitted, 6 / 5 people, Too many, Sealed"
    )


def test_a_tile_says_who_hears_the_room(fake: FakeController) -> None:
    hearing = ListeningView(
        id="listening-1", room_id="room-1", source_id="mic-1", by="li.wei", began_utc_ms=UtcMs(1)
    )
    house = replace(house_of(fake), audible=frozenset({"room-1", "room-2"}))
    house = changed(house, hearing)
    words = [one["ear"] for one in rooms.Tiles("li.wei").draw(house, {}, set(), EN)[0]]
    assert words == [{"state": "mine", "who": ""}, {"state": "off", "who": ""}, None]
    others = rooms.Tiles("wang").draw(house, {}, set(), EN)[0][0]["ear"]
    assert others == {"state": "other", "who": "li.wei is listening"}


def test_a_picture_without_the_right_is_said(fake: FakeController) -> None:
    drawn = rooms.tiles(house_of(fake), {}, {"room-1"}, EN)[0]
    assert (drawn["picture"], drawn["dark_label"]) == ("denied", "No right to this picture")


def test_a_dead_camera_shows_no_old_picture(fake: FakeController) -> None:
    camera = fake.rooms["room-1"].cameras[0].model_copy(update={"state": CameraState.OFFLINE})
    drawn = tile(fake, cameras=(camera,))
    assert (drawn["picture"], drawn["dark_label"]) == ("dark", "Camera offline")


def test_boxes_are_asked_for_once() -> None:
    assert (
        rooms.with_boxes("http://e/l.mjpg?ticket=a%2Bb")
        == "http://e/l.mjpg?ticket=a%2Bb&boxes=true"
    )
    assert (
        rooms.with_boxes("http://e/l.mjpg?boxes=true&ticket=a")
        == "http://e/l.mjpg?ticket=a&boxes=true"
    )


def test_an_alert_explains_itself(fake: FakeController) -> None:
    alert = fake.raise_alert()
    drawn = alerts.detail(alert, house_of(fake), EN)
    assert drawn["rows"] == [{"name": "People", "value": "6", "limit": "5"}]
    assert str(drawn["why"]).startswith("While sealed")
    assert drawn["measured"] == "6 / 5"
    assert drawn["camera"] == "Overview"
    unknown = alerts.detail(alert.model_copy(update={"rule": "area.later"}), house_of(fake), EN)
    assert unknown["why"] == ""


def test_alerts_are_newest_first_and_bounded(fake: FakeController) -> None:
    house = house_of(fake)
    alert = fake.raise_alert()
    for n in range(1, ALERTS_MAX + 5):
        house = changed(house, alert.model_copy(update={"id": f"a-{n}", "number": n}))
    numbers = [one.number for one in house.alerts_newest_first()]
    assert numbers == list(range(ALERTS_MAX + 4, 4, -1))


@pytest.mark.parametrize(
    ("clear", "policy", "state"),
    [
        (True, ZonePolicy.CLOSED, "clear"),
        (False, ZonePolicy.OPEN, "occupied"),
        (None, ZonePolicy.CLOSED, "unseen"),
        (None, ZonePolicy.OPEN, "open"),
    ],
)
def test_a_zone_that_nobody_sees_is_never_clear(
    clear: bool | None, policy: ZonePolicy, state: str
) -> None:
    zone = ZoneView(
        id="z",
        name=Named(zh="区", en="zone"),
        policy=policy,
        nodes=("c1",),
        seen_by=None,
        clear=clear,
    )
    assert floor.zone_state(zone) == state


def test_a_robot_is_drawn_with_its_way(fake: FakeController) -> None:
    fake.put(fake.robots["robot-1"].model_copy(update=fake.on_the_way()))
    drawn = floor.robots(SITE, house_of(fake), EN)[0]
    assert drawn["held_for"] == "Corridor west"
    ways = drawn["ways"]
    assert isinstance(ways, dict)
    (way,) = ways.values()
    assert len(way["base"].split()) == 2
    assert len(way["horizon"].split()) == 5
    floors = floor.plan(SITE, house_of(fake), EN)["floors"]
    assert isinstance(floors, list)
    assert [len(row["ways"]) for row in floors] == [len(SITE.edges) // 2]


def test_a_house_of_two_floors_is_drawn_floor_by_floor(fake: FakeController) -> None:
    ends = (SITE.edges[0].start, SITE.edges[0].end)
    upper = [
        node.model_copy(update={"map_id": "floor-2"}) for node in SITE.nodes if node.id in ends
    ]
    lower = [
        node.model_copy(update={"map_id": "floor-1"}) for node in SITE.nodes if node.id not in ends
    ]
    site = SITE.model_copy(update={"nodes": (*lower, *upper)})
    stop = MapStopView(floor="floor-2", cab_node=upper[0].id)
    door = MapDoorView(
        id="door-1", name=Named(zh="门", en="door"), ways=((upper[0].id, upper[1].id),)
    )
    chart = MapView(
        floors=(FloorView(id="floor-2", name="Upper"), FloorView(id="floor-1", name="Lower")),
        nodes=site.nodes,
        edges=site.edges,
        doors=(door,),
        lifts=(MapLiftView(id="lift-1", name=Named(zh="电梯", en="lift"), floors=(stop,)),),
        one_lane=(OneLaneView(nodes=(upper[0].id, upper[1].id), length_m=1, only_way=True),),
        kitchen=site.kitchen_node,
    )
    stuck = FacilityView(
        id="lift-1",
        kind="lift",
        name=Named(zh="电梯", en="lift"),
        condition=FacilityCondition.STUCK,
        why=Sentence(zh="卡住", en="it is stuck"),
        floor="floor-2",
    )
    drawn = floor.plan(site, house_of(fake), EN, chart, FacilitiesView(facilities=(stuck,)))
    floors = drawn["floors"]
    assert isinstance(floors, list)
    assert [row["name"] for row in floors] == ["Upper", "Lower"]
    assert [row["lifts"][0]["state"] for row in floors if row["lifts"]] == ["stuck"]
    assert [len(row["doors"]) for row in floors] == [1, 0]
    assert sum(way["lane"] for way in floors[0]["ways"]) == 1
    there = fake.robots["robot-1"].model_copy(update={"pose": None, "last_node": upper[1].id})
    fake.put(there)
    assert floor.robots(site, house_of(fake), EN)[0]["floor"] == "floor-2"


def test_a_site_without_a_map_has_no_drawing(fake: FakeController) -> None:
    bare = SITE.model_copy(update={"nodes": (), "edges": ()})
    assert floor.plan(bare, house_of(fake), EN)["floors"] == []
    assert floor.robots(bare, house_of(fake), EN) == []


@pytest.mark.parametrize("state", list(DeliveryState))
def test_each_state_stands_somewhere_on_the_steps(
    fake: FakeController, state: DeliveryState
) -> None:
    fake.put(meal(state, legs=(Leg(name="travelling", started_utc_ms=UtcMs(1)),)))
    card = deliveries.card(fake.deliveries["d-1"], house_of(fake), SITE, EN)
    steps = card["steps"]
    assert isinstance(steps, list)
    marks = [step["status"] for step in steps]
    if state is DeliveryState.RETURNED:
        assert marks == ["done"] * 8
    elif state in (DeliveryState.CANCELLED, DeliveryState.FAILED):
        assert marks == ["done"] * 3 + ["failed"] + ["todo"] * 4
    else:
        assert marks.count("active") == 1


def test_a_held_delivery_says_so(fake: FakeController) -> None:
    fake.put(meal(DeliveryState.TRAVELLING, held=True))
    card = deliveries.card(fake.deliveries["d-1"], house_of(fake), SITE, ZH)
    assert card["lines"] == "2 × 热茶"
    assert isinstance(card["steps"], list)
    assert card["steps"][3]["status"] == "held"


@pytest.mark.parametrize(
    ("state", "tries", "face"),
    [
        (DeliveryState.ARRIVED, 5, "enter"),
        (DeliveryState.ARRIVED, 0, "locked"),
        (DeliveryState.OPEN, 5, "open"),
        (DeliveryState.RETURNING, 5, "thanks"),
        (DeliveryState.TRAVELLING, 5, "travelling"),
        (DeliveryState.RETURNED, 5, "idle"),
    ],
)
def test_the_door_shows_the_right_face(state: DeliveryState, tries: int, face: str) -> None:
    assert deliveries.door(meal(state, pin_tries_left=tries)) == face
    assert deliveries.door(None) == "idle"


def test_the_kitchen_sees_what_to_load_first_and_no_project(fake: FakeController) -> None:
    fake.put(meal(DeliveryState.REQUESTED))
    fake.put(
        meal(
            DeliveryState.LOADING, id="d-2", robot_id="robot-1", compartment=1, ordered_utc_ms=2_000
        )
    )
    rows = orders.to_load(house_of(fake), SITE, EN)
    assert [row["id"] for row in rows] == ["d-2", "d-1"]
    assert "标段" not in str(rows)


def test_the_tablet_offers_times_that_the_kitchen_still_takes() -> None:
    noon = 1_795_665_600_000  # 2026-11-26 12:00 in Shanghai
    hour = 3_600_000
    early = orders.slots(OrderTerms(), noon - 3 * hour, noon - 3 * hour, EN)
    assert [row["label"] for row in early[:5]] == ["11:00", "11:30", "12:00", "12:30", "13:00"]
    late = orders.slots(OrderTerms(), noon - hour, noon - hour, EN)
    assert late[0]["label"] == "17:00", "lunch has closed; dinner is next"
    night = orders.slots(OrderTerms(), noon + 10 * hour, noon + 10 * hour, EN)
    assert (night[0]["day"], night[0]["label"]) == ("11-27", "11:00")
    assert orders.slots(OrderTerms(meals=()), noon, noon, EN) == []


def test_the_kitchen_looks_into_what_came_back_from_a_door_once(fake: FakeController) -> None:
    gone = meal(DeliveryState.FAILED, compartment=2, robot_id="robot-1")
    fake.put(gone)
    assert orders.to_inspect(house_of(fake), SITE, EN) == [], "it never left the kitchen"
    leg = Leg(name="travelling", started_utc_ms=UtcMs(1))
    fake.put(gone.model_copy(update={"legs": (leg,)}))
    assert [row["compartment"] for row in orders.to_inspect(house_of(fake), SITE, EN)] == [2]
    seen = Inspection(found=Found.FOOD, by="cook", utc_ms=UtcMs(2))
    fake.put(gone.model_copy(update={"legs": (leg,), "inspected": seen}))
    assert orders.to_inspect(house_of(fake), SITE, EN) == []


def test_the_kitchen_sees_what_a_person_has_in_hand_until_the_robot_is_back(
    fake: FakeController,
) -> None:
    robot = fake.robots["robot-2"]
    said = RemovalView(reason="wheel", by="sup", utc_ms=UtcMs(1), node="c1", loaded=(1, 3))
    empty = said.model_copy(update={"loaded": ()})
    fake.put(fake.robots["robot-1"].model_copy(update={"removed": empty}))
    fake.put(robot.model_copy(update={"removed": said}))
    place = MapNodeView(id="c1", name="走廊 1 / Corridor 1", x_m=0.0, y_m=0.0)
    site = SITE.model_copy(update={"nodes": (place,)})
    (row,) = orders.in_hand(house_of(fake), site, EN)
    assert (row["robot"], row["compartments"]) == (robot.name.en, [1, 3])
    assert (row["by"], row["place"], row["reason"]) == ("sup", "Corridor 1", "wheel")
    desk = dispatch.robots(house_of(fake), site, EN)[1]
    assert "(Corridor 1): wheel" in str(desk["removed"])
    (row,) = orders.in_hand(house_of(fake), site, ZH)
    assert (row["robot"], row["place"]) == (robot.name.zh, "走廊 1")
    fake.put(robot)
    assert orders.in_hand(house_of(fake), site, EN) == []


def test_a_session_offers_its_next_step_only_to_the_supervisor(fake: FakeController) -> None:
    house = house_of(fake)
    steps = {row["id"]: row["step"] for row in sessions.listed(house, EN, may_control=True)}
    assert steps == {"s-1": "release", "s-2": "seal"}
    assert all(row["step"] is None for row in sessions.listed(house, EN, may_control=False))
    fake.put(fake.sessions["s-2"].model_copy(update={"state": SessionState.CANCELLED}))
    assert [row["id"] for row in sessions.listed(house_of(fake), EN, may_control=True)] == ["s-1"]


def test_times_are_the_sites() -> None:
    assert EN.at(1_767_229_200_000) == "09:00:00"
    assert EN.day_and_time(1_767_229_200_412) == "2026-01-01 09:00:00.412"
    assert EN.at(None) == ""
    assert (number(-80.0), number(5.25)) == ("−80", "5.2")


def test_a_tile_shows_the_worst_of_its_recordings_in_words(fake: FakeController) -> None:
    assert tile(fake)["recording"] == {"state": "recording", "label": "REC", "share": "2/2"}
    fake.lose_recording()
    tracks = fake.rooms["room-1"].tracks
    assert tile(fake)["recording"] == {
        "state": "gap",
        "label": "Not recorded · disk full",
        "share": "1/2",
    }
    lost = tile(fake, node_state=NodeState.LOST)["recording"]
    assert lost == {"state": "unknown", "label": "REC unknown", "share": "0/2"}
    silent = tile(fake, tracks=(tracks[1].model_copy(update={"state": None}),))["recording"]
    assert silent == {"state": "unknown", "label": "REC unknown", "share": ""}
    assert tile(fake, tracks=())["recording"] is None


def test_a_room_tells_what_of_its_chains_is_witnessed(fake: FakeController) -> None:
    alert = fake.lose_recording()
    drawn = tile(fake)
    rows = {str(row["id"]): row for row in drawn["tracks"]}  # type: ignore[attr-defined]  # a list
    camera = rows["room-1-cam"]
    assert (camera["entry"], camera["witnessed"], camera["behind"]) == ("413", "412", True)
    assert (camera["broken"], camera["known_from"]) == (True, None)
    assert rows["room-1-mic"]["kind"] == "pickup"
    assert drawn["clock"] == {
        "state": "unsynchronised",
        "good": False,
        "label": "not synchronised",
        "offset": "+1280.0 ms",
    }
    assert drawn["key"] == {"good": False, "label": "not confirmed by a person"}
    shown = alerts.detail(alert, house_of(fake), ZH)
    assert shown["found"] == "控制器未再收到 全景 的录像登记或检查点。"
    assert shown["clock"] == {**drawn["clock"], "label": "未同步"}
    assert [row["id"] for row in shown["tracks"]] == ["room-1-cam"]  # type: ignore[attr-defined]  # a list
    assert alerts.detail(fake.raise_alert(), house_of(fake), EN)["tracks"] == []


def test_a_fire_alarm_stands_at_the_desk_until_a_person_ends_it(fake: FakeController) -> None:
    house = house_of(fake)
    assert dispatch.fire(house) == ""
    for burning, word in ((True, "burning"), (False, "latched")):
        told = FacilitiesView(fire=FireView(burning=burning, latched=True))
        assert dispatch.fire(replace(house, facilities=told)) == word


def test_the_desk_offers_a_zone_only_where_nobody_sees_it(fake: FakeController) -> None:
    zones = tuple(fake.zones)[:2]
    seen, unseen = (fake.zones[zone] for zone in zones)
    fake.put(seen.model_copy(update={"clear": False}))
    fake.put(unseen.model_copy(update={"clear": None, "policy": ZonePolicy.CLOSED}))
    held = HoldView(verb="hold", reason="a spill", by="sup", utc_ms=UtcMs(1_767_229_200_000))
    fake.put(fake.robots["robot-1"].model_copy(update={"held_for": zones, "hold": held}))
    row = dispatch.robots(house_of(fake), SITE, EN)[0]
    assert isinstance(row["zones"], list)
    assert [zone["unseen"] for zone in row["zones"]] == [False, True]
    assert row["hold_words"] == "Held by sup: a spill (09:00:00)"


def test_who_ordered_papers_sees_that_another_decides(fake: FakeController) -> None:
    fake.put(meal(DeliveryState.PROPOSED, kind=DeliveryKind.PAPERS, ordered_by="sup"))
    for user, own in (("sup", True), ("sup2", False)):
        (row,) = dispatch.approvals(house_of(fake), SITE, user, EN)
        assert (row["own"], row["kind"]) == (own, "papers")


def test_the_desk_tells_custody_and_proof_by_word(fake: FakeController) -> None:
    passage = ZonePassage(
        zone_id="corridor",
        name=Named(zh="走廊", en="Corridor"),
        seen_by=None,
        entered_utc_ms=UtcMs(1_767_229_200_000),
        verdict=ZoneVerdict.UNPROVEN,
    )
    event = CustodyEvent(utc_ms=UtcMs(1_767_229_200_000), what="released", by="sup + sup2")
    release = ReleaseView(asked_by="sup", reason="tablet broken", asked_utc_ms=UtcMs(1))
    fake.put(meal(DeliveryState.ARRIVED, zones=(passage,), custody=(event,), release=release))
    (row,) = dispatch.deliveries(house_of(fake), SITE, "sup", EN)
    assert isinstance(row["proof"], list)
    assert isinstance(row["custody"], list)
    assert row["proof"][0]["verdict_label"] == "unproven"
    assert row["custody"][0]["what"] == "released by two"
    assert (row["release_own"], row["release_by"]) == (True, "sup")


def test_a_tablet_says_about_when_and_that_it_is_late_or_nothing(fake: FakeController) -> None:
    view = meal(DeliveryState.TRAVELLING)
    fake.deliveries = {view.id: view}
    house = house_of(fake)
    now = UtcMs(1_795_320_000_000)  # 12:40:00 in Shanghai

    def drawn(at: int | None, *, late: bool = False) -> tuple[object, object]:
        arrival = ArrivalView(
            delivery_id=view.id, about_utc_ms=None if at is None else UtcMs(at), late=late
        )
        rows = orders.of_room(view.room_id, house, SITE, EN, {view.id: arrival}, int(now))
        row = next(one for one in rows if one["id"] == view.id)
        return row["about"], row["late"]

    near, far = now + 4 * 60_000 + 1, now + 21 * 60_000
    minute = EN.minute(UtcMs(now + 5 * 60_000))
    assert drawn(near) == (minute, False)
    assert drawn(far, late=True) == (EN.minute(UtcMs(now + 25 * 60_000)), True)
    assert drawn(None) == ("", False)


def test_floors_and_robots_have_short_names_on_the_map(fake: FakeController) -> None:
    assert (floor.floor_name("一层 / Floor 1", EN), floor.floor_name("一层 / Floor 1", ZH)) == (
        "Floor 1",
        "一层",
    )
    assert floor.floor_name("floor-1", ZH) == "floor-1"
    assert (floor.mark("Delivery robot 12"), floor.mark("送餐机器人 3"), floor.mark("小白")) == (
        "12",
        "3",
        "小",
    )
    robot = next(iter(house_of(fake).robots.values()))
    idle = robot.model_copy(update={"condition": RobotCondition.IDLE, "tour": ()})
    assert floor.condition(idle, EN) == "Idle"
    assert floor.condition(idle.model_copy(update={"tour": ("d-1",)}), EN) == "Waiting"


@pytest.mark.parametrize(
    ("here", "drawn"),
    [
        (None, [(0, 0), (100, 0), (200, 0)]),
        ((60, 2), [(60, 2), (100, 0), (200, 0)]),  # it has passed the first, and not said so yet
        ((-30, 0), [(-30, 0), (0, 0), (100, 0), (200, 0)]),
        ((0, 40), [(0, 40), (0, 0), (100, 0), (200, 0)]),
    ],
)
def test_a_way_is_drawn_ahead_of_a_robot_not_behind_it(
    here: tuple[float, float] | None, drawn: list[tuple[float, float]]
) -> None:
    nodes = tuple(
        MapNodeView(id=name, name=name, x_m=x_m, y_m=0.0, map_id="f")
        for name, x_m in (("a", 0.0), ("b", 2.5), ("c", 5.0))
    )
    level = floor._Level(SITE.model_copy(update={"nodes": nodes}), "f", None)
    left, top = level.paper.node(nodes[0])
    start = None if here is None else (left + here[0], top + here[1])
    told = floor._path(start, ("a", "b", "c"), level)
    points = [tuple(map(float, pair.split(","))) for pair in told.split()]
    assert points == [pytest.approx((left + x, top + y)) for x, y in drawn]
