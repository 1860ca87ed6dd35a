"""Holds one MQTT 5 session: reconnects, bounded inboxes, publishes whose refusal is an error."""

import asyncio
import math
import os
import random
import ssl
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, Self, TypeVar

import aiomqtt
import structlog
from paho.mqtt.client import MQTT_ERR_SUCCESS, Client, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions
from pydantic import Field

from contracts.envelope import PAYLOAD_MAX_BYTES, Strict
from runtime.clock import BACKOFF_FIRST_MS, Clock, backoff_ms
from runtime.logs import Repeats

T = TypeVar("T")

log = structlog.get_logger(__name__)

REFUSED_FROM = 0x80  # MQTT 5, 2.4: a reason code of 0x80 or more is a failure
INBOX_LIMIT_DEFAULT = 1_000  # at 64 KiB each still below 64 MiB for one inbox
STABLE_AFTER_MS = (
    10_000  # a link that lived shorter does not reset the backoff: two clients with one id
)
ANSWER_TIMEOUT_S = 5.0  # a broker on the site's network answers in milliseconds
GOODBYE_TIMEOUT_S = 1.0  # shutdown has 5 s for everything


class MqttLost(Exception):
    """The broker is not reachable, or went away before it answered; try again later."""


class PublishRefusedError(Exception):
    """The broker refused a message (reason code >= 0x80): an ACL or a limit, not the network."""

    def __init__(self, topic: str, reason_code: int, reason: str) -> None:
        super().__init__(
            f"the broker refused a message on {topic!r}: {reason} (0x{reason_code:02x}); "
            "check this client's ACL in the broker"
        )
        self.topic = topic
        self.reason_code = reason_code


class PayloadTooLargeError(ValueError):
    """A message of ours is larger than PAYLOAD_MAX_BYTES; send a reference and a hash instead."""


class MqttSetupError(Exception):
    """The session cannot be built from its settings; says which setting and what to do."""


class TlsSettings(Strict):
    """Files of one client's TLS identity; ``cert_file`` and ``key_file`` go together."""

    ca_file: Path
    cert_file: Path | None = None
    key_file: Path | None = None


class MqttSettings(Strict):
    """Where the broker is and who we are there; the password stays in the environment."""

    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65_535)
    client_id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")
    username: str | None = None
    password_env: str | None = None
    """Name of the environment variable that holds the password."""
    tls: TlsSettings | None = None
    keepalive_s: int = Field(default=15, ge=2, le=3_600)
    session_expiry_s: int = Field(default=0, ge=0, le=7 * 86_400)


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message as it came; an oversized ``payload`` is cut to PAYLOAD_MAX_BYTES + 1 bytes."""

    topic: str
    payload: bytes
    retain: bool
    qos: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class DropPolicy(StrEnum):
    """What a full inbox loses."""

    OLDEST = "oldest"
    NEWEST = "newest"
    LATEST_PER_TOPIC = "latest_per_topic"
    """Keeps one message a topic: a newer one takes the place of the older, full or not."""


class Inbox:
    """A bounded queue of one subscription, for one reader on one event loop."""

    def __init__(self, topic_filter: str, *, limit: int, drop: DropPolicy) -> None:
        if limit < 1:
            raise ValueError(f"an inbox needs room for one message, not {limit}")
        self.topic_filter = topic_filter
        self.limit = limit
        self.drop = drop
        self.dropped = 0
        """Messages lost because the inbox was full."""
        self.superseded = 0
        """Messages replaced by a newer one of their topic (LATEST_PER_TOPIC only)."""
        self._queue: deque[Inbound] = deque()
        self._latest: OrderedDict[str, Inbound] = OrderedDict()
        self._filled = asyncio.Event()
        self._granted = asyncio.Event()

    def mark_subscribed(self) -> None:
        """The broker has granted the subscription; called by the bus."""
        self._granted.set()

    async def wait_subscribed(self) -> None:
        """Return once the broker has granted the subscription for the first time.

        What is published earlier does not arrive here, unless it is retained.
        """
        await self._granted.wait()

    def __len__(self) -> int:
        return len(self._queue) + len(self._latest)

    def put(self, message: Inbound) -> None:
        """Add a message, dropping by the policy when full; never waits."""
        if self.drop is DropPolicy.LATEST_PER_TOPIC:
            self._put_latest(message)
        elif len(self._queue) < self.limit:
            self._queue.append(message)
        else:
            self.dropped += 1
            if self.drop is DropPolicy.OLDEST:
                self._queue.popleft()
                self._queue.append(message)
        self._filled.set()

    def _put_latest(self, message: Inbound) -> None:
        if message.topic in self._latest:
            self.superseded += 1
        elif len(self._latest) >= self.limit:
            self._latest.popitem(last=False)
            self.dropped += 1
        self._latest[message.topic] = message

    async def get(self) -> Inbound:
        """The next message; waits for one."""
        return (await self.get_batch(1))[0]

    async def get_batch(self, limit: int) -> list[Inbound]:
        """Wait for one message, then take up to ``limit`` of what is there, waiting no more."""
        while not len(self):
            self._filled.clear()
            await self._filled.wait()
        return [self._pop() for _ in range(min(limit, len(self)))]

    def _pop(self) -> Inbound:
        if self._queue:
            return self._queue.popleft()
        return self._latest.popitem(last=False)[1]

    def __aiter__(self) -> "Inbox":
        return self

    async def __anext__(self) -> Inbound:
        return await self.get()


class Bus(Protocol):
    """What a service needs of MQTT; MqttSession is one, the in-memory bus of the tests another."""

    def subscribe(
        self, topic_filter: str, *, qos: int = 1, limit: int = ..., drop: DropPolicy = ...
    ) -> Inbox:
        """An inbox that receives what matches ``topic_filter``."""
        ...

    def on_connect(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after each connection; it must not block."""
        ...

    async def publish(self, message: Outgoing) -> None:
        """Hand a message to the broker and wait for its PUBACK at QoS 1.

        Raises:
            MqttLost: not connected, or the link went before the PUBACK.
            PublishRefusedError: the broker refused it.
            PayloadTooLargeError: more than PAYLOAD_MAX_BYTES.
        """
        ...


def topic_matches(topic_filter: str, topic: str) -> bool:
    """Whether MQTT delivers ``topic`` to a subscription of ``topic_filter`` (MQTT 5, 4.7)."""
    if topic.startswith("$") and topic_filter[:1] in {"+", "#"}:
        return False
    wanted = topic_filter.split("/")
    levels = topic.split("/")
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(levels) or level not in {"+", levels[index]}:
            return False
    return len(wanted) == len(levels)


@dataclass(slots=True)
class _Subscription:
    topic_filter: str
    identifier: int
    qos: int
    version: int = 0
    """Grows with each inbox: the broker is asked again, so that it sends what is retained."""
    inboxes: list[Inbox] = field(default_factory=list)


class _Link(aiomqtt.Client):
    """One connection; has its own callbacks where aiomqtt's lose a reason code or buffer."""

    def __init__(
        self,
        settings: MqttSettings,
        *,
        password: str | None,
        will: Outgoing | None,
        deliver: Callable[[Inbound, Sequence[int]], None],
    ) -> None:
        properties = _properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = settings.session_expiry_s
        super().__init__(
            settings.host,
            settings.port,
            identifier=settings.client_id,
            username=settings.username,
            password=password,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=settings.session_expiry_s == 0,
            properties=properties,
            keepalive=settings.keepalive_s,
            timeout=ANSWER_TIMEOUT_S,
            tls_context=_tls_context(settings.tls) if settings.tls else None,
            will=aiomqtt.Will(will.topic, will.payload, will.qos, will.retain) if will else None,
        )
        self._deliver = deliver
        self._answers: dict[int, asyncio.Future[ReasonCode]] = {}

    async def __aenter__(self) -> Self:
        try:
            return await super().__aenter__()
        except BaseException:
            # aiomqtt leaves the socket and its reader open when the broker refuses, is mute, or we
            # are cancelled here; paho closes both on disconnect.
            self._client.disconnect()
            raise

    async def _wait_for(self, fut: Awaitable[T], timeout: float | None) -> T:  # noqa: ASYNC109  # aiomqtt's
        # aiomqtt's own is asyncio.wait_for: before Python 3.12 it takes an answer that comes in the
        # same moment for the outcome of a cancel, and a node that was to stop goes on for ever.
        limit_s = self.timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(None if limit_s == math.inf else limit_s):
                return await fut
        except TimeoutError:
            raise aiomqtt.MqttError(f"the broker did not answer in {limit_s} s") from None

    async def send(self, message: Outgoing) -> None:
        """Publish and wait for the broker's answer; see ``Bus.publish``."""
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
        if info.rc != MQTT_ERR_SUCCESS:
            raise MqttLost(f"could not send on {message.topic!r}: paho error {info.rc}")
        if message.qos == 0 and info.is_published():
            return
        answer: asyncio.Future[ReasonCode] = asyncio.get_running_loop().create_future()
        self._answers[info.mid] = answer
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                reason = await answer
        except TimeoutError:
            raise MqttLost(f"no PUBACK for {message.topic!r} in {ANSWER_TIMEOUT_S} s") from None
        finally:
            self._answers.pop(info.mid, None)
        if reason.value >= REFUSED_FROM:
            raise PublishRefusedError(message.topic, reason.value, reason.getName())

    def fail_pending(self) -> None:
        """The link is gone: nobody will answer what is still open."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(MqttLost("the link went before the PUBACK"))

    def _on_publish(
        self,
        client: Client,
        userdata: object,
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        # aiomqtt 2.5 ignores reason_code here, so that a message an ACL swallowed looks published.
        answer = self._answers.get(mid)
        if answer is not None and not answer.done():
            answer.set_result(reason_code)

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        # Straight into the bounded inboxes: aiomqtt's own queue is unbounded or drops unseen.
        identifiers = getattr(message.properties, "SubscriptionIdentifier", ())
        payload = bytes(message.payload[: PAYLOAD_MAX_BYTES + 1])
        self._deliver(
            Inbound(message.topic, payload, retain=message.retain, qos=message.qos), identifiers
        )


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]  # paho has no types here


def _check_tls(settings: MqttSettings) -> None:
    # The files are read at each connection, so that a renewed certificate is taken; this is only to
    # tell a wrong path now instead of trying it for ever.
    if settings.tls is None:
        return
    try:
        _tls_context(settings.tls)
    except OSError as error:  # includes ssl.SSLError
        files = [settings.tls.ca_file, settings.tls.cert_file, settings.tls.key_file]
        named = ", ".join(str(path) for path in files if path is not None)
        raise MqttSetupError(f"mqtt.tls: cannot use {named}: {error}") from None


def _tls_context(tls: TlsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(tls.ca_file))
    if tls.cert_file is not None:
        context.load_cert_chain(str(tls.cert_file), str(tls.key_file) if tls.key_file else None)
    return context


class MqttSession:
    """A session that survives its broker: subscribe and publish any time, ``run`` keeps the link.

    On every connection it subscribes, publishes the birth messages, then counts as connected. A
    clean stop publishes ``farewell``, or the will itself where there is none, since a broker drops
    the will of a client that says goodbye.
    """

    def __init__(
        self,
        settings: MqttSettings,
        clock: Clock,
        *,
        rng: random.Random,
        will: Outgoing | None = None,
        birth: Callable[[], Sequence[Outgoing]] | None = None,
        farewell: Callable[[], Outgoing] | None = None,
    ) -> None:
        self._farewell = farewell
        self._stopping = False
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._will = will
        self._birth = birth
        self._password = _password(settings)
        _check_tls(settings)
        self._losses = Repeats(clock)
        self._subscriptions: dict[str, _Subscription] = {}
        self._changed = asyncio.Event()
        self._link: _Link | None = None
        self._up = asyncio.Event()
        self._callbacks: list[Callable[[], None]] = []
        self.connections = 0
        """How often this session has connected."""
        self.refused_filters: set[str] = set()
        """Subscriptions that the broker refused on the current link."""

    @property
    def connected(self) -> bool:
        """Whether the link is up, subscribed and the birth messages are out."""
        return self._up.is_set()

    async def wait_connected(self) -> None:
        """Return once the session is connected."""
        await self._up.wait()

    def on_connect(self, callback: Callable[[], None]) -> None:
        """See ``Bus.on_connect``."""
        self._callbacks.append(callback)

    def subscribe(
        self,
        topic_filter: str,
        *,
        qos: int = 1,
        limit: int = INBOX_LIMIT_DEFAULT,
        drop: DropPolicy = DropPolicy.OLDEST,
    ) -> Inbox:
        """An inbox for ``topic_filter``; before or during ``run``; renewed at each connection."""
        inbox = Inbox(topic_filter, limit=limit, drop=drop)
        known = self._subscriptions.get(topic_filter)
        if known is None:
            known = _Subscription(topic_filter, len(self._subscriptions) + 1, qos)
            self._subscriptions[topic_filter] = known
        known.inboxes.append(inbox)
        known.qos = max(known.qos, qos)
        known.version += 1
        self._changed.set()
        return inbox

    async def publish(self, message: Outgoing) -> None:
        """See ``Bus.publish``."""
        if len(message.payload) > PAYLOAD_MAX_BYTES:
            raise PayloadTooLargeError(
                f"{len(message.payload)} bytes for {message.topic!r}; limit {PAYLOAD_MAX_BYTES}"
            )
        if self._link is None:
            raise MqttLost(f"not connected to {self._settings.host}:{self._settings.port}")
        await self._link.send(message)

    async def run(self) -> None:
        """Keep the session connected until cancelled."""
        keeper = asyncio.create_task(self._keep_connected())
        try:
            await asyncio.shield(keeper)
        except asyncio.CancelledError:
            # Told in a flag, not only by the cancel: a link that breaks in the same moment raises
            # in the cancel's place, and before Python 3.13 a TaskGroup that has failed leaves
            # Task.cancelling() above zero, so that cannot be asked either.
            self._stopping = True
            keeper.cancel()
            await asyncio.wait({keeper})
            raise

    async def _keep_connected(self) -> None:
        attempt = 0
        while not self._stopping:
            since = self._clock.mono_ms()
            delay_ms = BACKOFF_FIRST_MS
            try:
                await self._serve()
            except* (aiomqtt.MqttError, MqttLost, OSError) as lost:
                if self._clock.mono_ms() - since >= STABLE_AFTER_MS:
                    attempt = 0
                delay_ms = backoff_ms(attempt, self._rng)
                self._log_loss(str(_first(lost)), attempt, delay_ms)
                attempt += 1
            await self._clock.sleep_ms(delay_ms)

    def _log_loss(self, error: str, attempt: int, delay_ms: int) -> None:
        times = self._losses.due(error)
        if times:
            log.warning(
                "mqtt_lost",
                client_id=self._settings.client_id,
                broker=f"{self._settings.host}:{self._settings.port}",
                attempt=attempt,
                retry_ms=delay_ms,
                error=error,
                times=times,
            )

    async def _serve(self) -> None:
        link = _Link(
            self._settings, password=self._password, will=self._will, deliver=self._dispatch
        )
        async with link:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._keep_subscribed(link))
                    group.create_task(_until_lost(link))
            finally:
                await self._take_down(link)

    async def _keep_subscribed(self, link: _Link) -> None:
        done: dict[str, int] = {}
        self.refused_filters.clear()
        while True:
            self._changed.clear()
            for wanted in list(self._subscriptions.values()):
                version = wanted.version
                if done.get(wanted.topic_filter) != version:
                    await self._subscribe_on(link, wanted)
                    done[wanted.topic_filter] = version
            if not self.connected:
                await self._announce(link)
            await self._changed.wait()

    async def _subscribe_on(self, link: _Link, wanted: _Subscription) -> None:
        properties = _properties(PacketTypes.SUBSCRIBE)
        properties.SubscriptionIdentifier = wanted.identifier
        codes = await link.subscribe(
            wanted.topic_filter, options=SubscribeOptions(qos=wanted.qos), properties=properties
        )
        refused = False
        for code in codes:
            value = code.value if isinstance(code, ReasonCode) else int(code)
            if value >= REFUSED_FROM:
                refused = True
                self.refused_filters.add(wanted.topic_filter)
                log.error(
                    "mqtt_subscription_refused",
                    topic_filter=wanted.topic_filter,
                    reason_code=value,
                    hint="check this client's ACL in the broker",
                )

        if not refused:
            for inbox in wanted.inboxes:
                inbox.mark_subscribed()

    async def _announce(self, link: _Link) -> None:
        self._link = link
        for message in self._birth() if self._birth else ():
            try:
                await link.send(message)
            except PublishRefusedError as refused:
                log.error("mqtt_birth_refused", topic=message.topic, error=str(refused))
        self.connections += 1
        self._up.set()
        log.info("mqtt_connected", client_id=self._settings.client_id, times=self.connections)
        for callback in self._callbacks:
            callback()

    async def _take_down(self, link: _Link) -> None:
        was_up = self.connected
        self._up.clear()
        self._link = None
        goodbye = self._farewell() if self._farewell is not None else self._will
        if was_up and goodbye is not None and self._stopping:
            try:
                async with asyncio.timeout(GOODBYE_TIMEOUT_S):
                    await link.send(goodbye)
            except (TimeoutError, MqttLost, PublishRefusedError) as error:
                log.warning("mqtt_goodbye_failed", error=str(error))
        link.fail_pending()

    def _dispatch(self, message: Inbound, identifiers: Sequence[int]) -> None:
        for subscription in self._subscriptions.values():
            if identifiers:
                wanted = subscription.identifier in identifiers
            else:
                wanted = topic_matches(subscription.topic_filter, message.topic)
            if wanted:
                for inbox in subscription.inboxes:
                    inbox.put(message)


async def _until_lost(link: _Link) -> None:
    # The iterator yields nothing, for _Link takes the messages itself; it raises when the link
    # goes.
    async for _ in link.messages:
        pass


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _password(settings: MqttSettings) -> str | None:
    if settings.password_env is None:
        return None
    password = os.environ.get(settings.password_env)
    if not password:
        raise MqttSetupError(
            f"environment variable {settings.password_env} is empty or missing; it must hold the "
            f"MQTT password of {settings.username or settings.client_id} (mqtt.password_env)"
        )
    return password
