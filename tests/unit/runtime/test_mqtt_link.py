"""A link to the broker that is told to stop stops, whatever arrives in the same moment."""

import asyncio
import math

import aiomqtt
import pytest

from runtime.mqtt import MqttSettings, _Link


def link() -> _Link:
    settings = MqttSettings(client_id="t", host="127.0.0.1", port=1883)
    return _Link(settings, password=None, will=None, deliver=lambda message, identifiers: None)


@pytest.mark.parametrize("limit_s", [None, 5.0, math.inf])
async def test_an_answer_in_the_moment_of_a_cancel_does_not_undo_it(limit_s: float | None) -> None:
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(link()._wait_for(answer, limit_s))
    await asyncio.sleep(0)
    answer.set_result(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_no_answer_in_time_is_an_error_of_the_link() -> None:
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    with pytest.raises(aiomqtt.MqttError, match=r"did not answer in 0\.01 s"):
        await link()._wait_for(answer, 0.01)
