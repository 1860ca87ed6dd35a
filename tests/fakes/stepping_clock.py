"""The machine's clock, but its UTC steps when a test says so; the machine's stays as it is."""

from contracts.evidence.entries import ClockState
from contracts.units import MonoMs, UtcMs
from runtime.clock import SystemClock


class SteppingClock:
    """``runtime.clock.Clock`` whose UTC is off by what it was stepped by."""

    def __init__(self, offset_ms: int = 0) -> None:
        self._real = SystemClock()
        self._offset_ms = offset_ms

    @property
    def boot_id(self) -> str:
        return self._real.boot_id

    def mono_ms(self) -> MonoMs:
        return self._real.mono_ms()

    def utc_ms(self) -> UtcMs:
        return UtcMs(self._real.utc_ms() + self._offset_ms)

    def state(self) -> ClockState:
        return self._real.state()

    async def sleep_ms(self, ms: int) -> None:
        await self._real.sleep_ms(ms)

    def step_ms(self, ms: int) -> None:
        """Step UTC."""
        self._offset_ms += ms
