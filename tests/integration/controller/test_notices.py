"""Notices through Apprise to a real webhook and a real mail server, over failures and restarts."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from contracts.api.alerts import HandlingVerb
from contracts.api.duty import DutyLevel, DutyPerson, RosterBody
from contracts.api.notices import ChannelBody, DeliveryState, NoticeReason
from contracts.observations import Severity
from contracts.topics import Kind
from contracts.units import UtcMs
from controller.api.duty_desk import duty_desk
from controller.core.handling import Act
from controller.core.outputs import SendNotice
from controller.core.state import AlertCame, AlertWorked
from controller.notices.apprise_way import AppriseWay
from controller.notices.channels import FILE_NAME, ChannelBook, ChannelFileError
from controller.notices.desk import NoticeDesk
from controller.ports import StoreLost
from controller.store.notices import NoticeStore
from tests.fakes.bus import MemoryBroker
from tests.fakes.controller_site import Bench, an_alert, bench, durable
from tests.fakes.notice_peers import Mailbox, Webhook, peers
from tests.fakes.sealing import OVERRIDES
from tests.fakes.waiting import until

# Apprise tries every plugin at its first address; some import what Python will drop.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SECRET = "Zx9-very-secret-token"
TITLE = "The ring road, lot 3"


@asynccontextmanager
async def running(
    folder: Path, made: Bench | None = None, *, desk_only: bool = False
) -> AsyncIterator[Bench]:
    made = made or bench(folder)
    whole = made.controller
    task = asyncio.create_task(whole.notices.run() if desk_only else whole.run())
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def logged_in(made: Bench, name: str = "sup") -> httpx.AsyncClient:
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(made.controller.app), base_url="http://controller/api/v1"
    )
    answer = await client.post("/login", json={"username": name, "password": f"{name}-password"})
    client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    return client


async def channel(client: httpx.AsyncClient, name: str, address: str, **more: object) -> None:
    etag = (await client.get("/notices/channels")).headers["ETag"]
    answer = await client.put(
        f"/notices/channels/{name}",
        json={"name": name, "address": address, **more},
        headers={"If-Match": etag},
    )
    assert answer.status_code == 200, answer.text
    assert SECRET not in answer.text


async def roster(client: httpx.AsyncClient, *people: dict[str, object]) -> None:
    etag = (await client.get("/duty/roster")).headers["ETag"]
    answer = await client.put("/duty/roster", json={"people": people}, headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text


async def ticking(
    made: Bench, condition: Callable[[], object], what: str, step_ms: int = 200
) -> None:
    """Let time run until it holds."""

    async def held() -> bool:
        await made.clock.run_ms(step_ms)
        return bool(condition())

    await until(held, within_s=30, what=what)


async def alerted(made: Bench, client: httpx.AsyncClient) -> None:
    """A session with a title is sealed, and an alarm comes."""
    body = {"room_id": "room-1", "title": TITLE, "admitted": 5}
    session = (await client.post("/sessions", json=body)).json()["id"]
    await client.post(f"/sessions/{session}/gather")
    sealed = await client.post(f"/sessions/{session}/seal", json=OVERRIDES)
    assert sealed.status_code == 200, sealed.text
    alert = an_alert(session_id=session).model_copy(
        update={"raised_utc_ms": made.clock.utc_ms(), "since_utc_ms": made.clock.utc_ms()}
    )
    await made.edge.publish(durable(Kind.ALERT, "room-1", alert, 1))


def in_database(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (folder / "data").glob("controller.db*"))


async def test_people_on_duty_get_code_room_and_time_by_webhook_and_mail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with peers() as (hook, box), running(tmp_path) as made:
        client = await logged_in(made)
        await channel(client, "hook", f"json://u:{SECRET}@{hook.url}/in?token={SECRET}")
        mail = f"mailto://u:{SECRET}@127.0.0.1:{box.port}?smtp=127.0.0.1&mode=insecure"
        mail += "&from=ze@example.org&to=li@example.org"
        await channel(client, "li-mail", mail, language="en")
        await roster(
            client,
            {"username": "sup", "channels": ["hook"]},
            {"username": "li", "language": "en", "channels": ["li-mail"]},
        )
        hook.answers = [500, 503]
        await alerted(made, client)
        await ticking(made, lambda: hook.got and box.got, "both were told")
        await told_rightly(made, client, hook, box)
    said = caplog.text + capsys.readouterr().out
    assert SECRET not in said
    assert SECRET.encode() not in in_database(tmp_path)
    kept = tmp_path / "data" / "keys" / FILE_NAME
    assert kept.stat().st_mode & 0o777 == 0o600
    assert SECRET in kept.read_text()


async def told_rightly(made: Bench, client: httpx.AsyncClient, hook: Webhook, box: Mailbox) -> None:
    text = hook.got[0]["message"]
    assert text.startswith("预警待确认 #")
    assert "area.over_admitted" in text
    assert "Room 1" in text
    mail = box.got[0].get_content()
    assert mail.startswith("alert not acknowledged #")
    for told in (text, mail, hook.got[0]["title"], str(box.got[0]["Subject"])):
        assert TITLE not in told
        assert "sup" not in told.lower().replace("supervisor", "")
    assert "li@example.org" in box.to[0]
    counts = made.controller.notices.counts
    await ticking(made, lambda: counts["delivered"] >= 2, "both are noted")
    page = (await client.get("/notices")).json()
    rows = {row["channel_id"]: row for row in page["items"][0]["deliveries"]}
    assert rows["hook"]["tries"] == 3
    assert [one["outcome"] for one in rows["hook"]["attempts"]] == [
        "waiting",
        "waiting",
        "delivered",
    ]
    assert "500" in rows["hook"]["attempts"][0]["error"]
    assert rows["li-mail"]["state"] == "delivered"
    assert SECRET not in json.dumps(page)


async def test_a_restart_loses_nothing_and_keeps_the_id(tmp_path: Path) -> None:
    async with peers() as (hook, _):
        broker: MemoryBroker
        async with running(tmp_path) as made:
            client = await logged_in(made)
            await channel(client, "hook", f"json://{hook.url}", levels=[1])
            hook.answers = [503] * 3
            await alerted(made, client)
            await ticking(made, lambda: hook.requests, "it was tried")
            clock, broker = made.clock, made.broker
            (waiting,) = (await client.get("/notices")).json()["items"]
        assert hook.got == []
        hook.answers = []
        async with running(tmp_path, bench(tmp_path, clock=clock, broker=broker)) as again:
            await ticking(again, lambda: hook.got, "it came after the restart", 1_000)
            assert waiting["id"] in hook.got[0]["message"]


async def test_a_notice_that_was_committed_and_not_taken_is_taken_after_the_start(
    tmp_path: Path,
) -> None:
    """Killed between the commit and the outbox: the output is open, and is performed again."""
    made = bench(tmp_path)
    service = made.controller.service
    await asyncio.to_thread(
        made.controller.notices.book.put, "hook", ChannelBody(name="h", address="json://a/b"), 0
    )
    taking = asyncio.create_task(service._take_inputs())  # nobody performs
    alert = an_alert()
    await service.offer(AlertCame(alert))
    await service.ask(AlertWorked(alert.alert_id, Act(HandlingVerb.ASSIGN, "sup", to="li")))
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    (left,) = made.controller.database.open_outputs()
    assert isinstance(left.output, SendNotice)
    made.controller.database.close()
    again = bench(tmp_path)
    async with running(tmp_path, again):
        log = NoticeStore(again.controller.database)
        await until(lambda: log.page(before=None, limit=9), what="it is in the log")
        (only,) = log.page(before=None, limit=9)
        assert (only.id, only.to, only.nobody) == (left.output.notice_id, "li", True)
        await until(lambda: not again.controller.database.open_outputs(), what="the output is done")


class Forgetful(NoticeStore):
    """Loses the first note of a try, as a crash right after a delivery does."""

    lost = 1

    def tried(
        self, number: int, *, utc_ms: UtcMs, error: str | None, next_utc_ms: UtcMs | None
    ) -> None:
        if self.lost:
            self.lost -= 1
            raise StoreLost("power went")
        super().tried(number, utc_ms=utc_ms, error=error, next_utc_ms=next_utc_ms)


def notice(name: str) -> SendNotice:
    return SendNotice(
        notice_id=name,
        reason=NoticeReason.NEW,
        alert_id="a",
        alert_number=1,
        code="area.over_admitted",
        room_id="room-1",
        severity=Severity.ALARM,
        utc_ms=UtcMs(0),
        level=DutyLevel.OFFICER,
    )


async def test_a_message_that_comes_twice_carries_the_same_id(tmp_path: Path) -> None:
    made = bench(tmp_path)
    database, clock = made.controller.database, made.clock
    config = made.controller.service.state.plan.site.config
    desk = duty_desk(database, clock, config, tmp_path, asyncio.to_thread, {})
    async with peers() as (hook, _):
        body = ChannelBody(name="h", address=f"json://{hook.url}", levels=(DutyLevel.OFFICER,))
        desk.notices.book.put("hook", body, 0)
        worker = NoticeDesk(
            Forgetful(database),
            desk.roster,
            desk.notices.book,
            AppriseWay().send,
            clock,
            zone=desk.zone,
            rooms={},
        )
        task = asyncio.create_task(worker.run())
        await worker.accept(notice("n-1"))
        await worker.accept(notice("n-1"))
        await ticking(made, lambda: len(hook.got) == 2, "it came twice", 1_000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert worker.counts["repeated"] == 1
    assert {one["message"].rpartition("[")[2] for one in hook.got} == {"n-1]"}
    database.close()


async def test_what_is_never_taken_is_given_up_shown_and_tried_again_by_hand(
    tmp_path: Path,
) -> None:
    async with peers() as (hook, _), running(tmp_path, desk_only=True) as made:
        client = await logged_in(made)
        await channel(client, "hook", f"json://{hook.url}", levels=[1, 2, 3])
        hook.answers = [500] * 8
        sent = (await client.post("/notices/channels/hook/test")).json()["notice_id"]
        counts = made.controller.notices.counts
        await ticking(made, lambda: counts["dead"], "it was given up", 60_000)
        row = (await client.get("/notices")).json()["items"][0]
        assert row["id"] == sent
        (delivery,) = row["deliveries"]
        assert (delivery["state"], delivery["tries"]) == (DeliveryState.DEAD, 8)
        warnings = (await client.get("/duty/now")).json()["warnings"]
        assert any("given up" in one["en"] for one in warnings)
        again = await client.post(f"/notices/deliveries/{delivery['number']}/retry")
        assert again.status_code == 202
        await ticking(made, lambda: hook.got, "it came at last", 1_000)


async def test_addresses_that_open_files_or_speak_to_the_machine_are_refused(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as made:
        client = await logged_in(made)
        etag = (await client.get("/notices/channels")).headers["ETag"]
        for address in (
            f"file:///etc/passwd?{SECRET}",
            f"syslog://{SECRET}",
            f"json://host/?template=/etc/passwd&x={SECRET}",
            f"workflows://{SECRET}",
            f"not an address {SECRET}",
        ):
            answer = await client.put(
                "/notices/channels/x",
                json={"name": "x", "address": address},
                headers={"If-Match": etag},
            )
            assert answer.status_code == 422, address
            assert SECRET not in answer.text
        assert (await client.get("/notices/channels")).json()["items"] == []
        stale = await client.put(
            "/notices/channels/x",
            json={"name": "x", "address": "json://h/"},
            headers={"If-Match": '"old"'},
        )
        assert stale.status_code == 412
        kitchen = await logged_in(made, "cook")
        assert (await kitchen.get("/notices/channels")).status_code == 403


def test_channels_of_the_environment_and_a_file_that_others_may_read(tmp_path: Path) -> None:
    given = {"ZEROENTRY_NOTICE_CHANNELS": '{"g": {"name": "G", "address": "json://h/"}}'}
    book = ChannelBook(tmp_path, given, lambda _: True)
    assert [(row.id, row.from_environment) for row in book.list().items] == [("g", True)]
    book.put("own", ChannelBody(name="o", address="json://user:pw@h/"), None)
    assert "pw" not in repr(book.address("own"))
    (tmp_path / FILE_NAME).chmod(0o644)
    with pytest.raises(ChannelFileError, match="chmod 600"):
        ChannelBook(tmp_path, {}, lambda _: True)
    broken = {"ZEROENTRY_NOTICE_CHANNELS": f'{{"g": "{SECRET}"'}
    with pytest.raises(ChannelFileError) as caught:
        ChannelBook(tmp_path / "other", broken, lambda _: True)
    assert SECRET not in str(caught.value)


def test_a_roster_with_people_is_read_back(tmp_path: Path) -> None:
    made = bench(tmp_path)
    store = duty_desk(
        made.controller.database,
        made.clock,
        made.controller.service.state.plan.site.config,
        tmp_path,
        asyncio.to_thread,
        {},
    ).roster
    body = RosterBody(people=(DutyPerson(username="李", name="李四"),))
    assert store.put_roster(body, expected=0, by="sup", utc_ms=UtcMs(5)) is not None
    assert store.put_roster(body, expected=0, by="sup", utc_ms=UtcMs(6)) is None, "stale"
    assert store.roster().roster == body
    made.controller.database.close()
