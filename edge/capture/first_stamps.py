"""Gives a stream's first packets the time stamps that libavformat could not know yet.

What comes before the first RTCP report has none, and it is the key frame that a recording begins
with. The next packet's stamp and the packets' duration say where they belong.
"""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

from collections.abc import Iterable, Iterator
from typing import Final

from av.packet import Packet
from av.stream import Stream

HELD_MAX: Final = 50  # two seconds of pictures: a stream that has no stamps at all is not held back


def stamped(packets: Iterable[Packet[Stream]], streams: frozenset[int]) -> Iterator[Packet[Stream]]:
    """The packets of ``streams`` (by index), in order; the first unstamped ones get their stamps.

    Packets of other streams pass untouched. Once each stream has shown a stamp, or has held back
    ``HELD_MAX`` packets, everything passes as it comes.
    """
    source = iter(packets)
    waiting: dict[int, list[Packet[Stream]]] = {index: [] for index in streams}
    while waiting:
        packet = next(source, None)
        if packet is None:
            for held in waiting.values():
                yield from held
            return
        index = packet.stream_index
        held_here = waiting.get(index)
        if held_here is None or packet.size == 0:
            yield packet
            continue
        if packet.dts is None and len(held_here) < HELD_MAX:
            held_here.append(packet)
            continue
        del waiting[index]
        yield from _before(held_here, packet)
        yield packet
    yield from source


def _before(held: list[Packet[Stream]], first: Packet[Stream]) -> Iterator[Packet[Stream]]:
    stamp = first.dts
    for place, packet in enumerate(held):
        step = packet.duration or first.duration or 0
        if stamp is not None and step:
            packet.dts = packet.pts = stamp - (len(held) - place) * step
        yield packet
