"""A real recorder on a disk that fills up and turns read-only: truthful gaps, and it goes on."""

from contracts.evidence.entries import GapReason
from runtime.clock import SystemClock
from tests.fakes.edge_site import FPS
from tests.fakes.small_disk import SmallDisk
from tests.fakes.waiting import until
from tests.integration.edge_recorder.conftest import WITHIN_S, CameraProcess
from tests.integration.recorder_hostile.conftest import (
    HOLE_MS,
    SEAL,
    RecorderOnDisk,
    end_mono_ms,
    faults,
    goes_on,
    has_recorded,
    holes_ms,
    says,
)


async def test_a_disk_that_fills_costs_a_gap_and_nothing_else(
    on_disk: RecorderOnDisk, disk: SmallDisk
) -> None:
    clock = SystemClock()
    await on_disk.start()
    await on_disk.recording()
    # Sealed: for what nobody seals the recorder would stop before the disk is full, to save room.
    assert (await on_disk.client.request(SEAL, "c-1")).error is None
    await until(lambda: has_recorded(on_disk, FPS), within_s=WITHIN_S, what="a second of pictures")
    full_ms = clock.mono_ms()
    disk.fill()
    await until(
        lambda: says(on_disk, GapReason.DISK_FULL), within_s=WITHIN_S, what="the status says so"
    )
    assert on_disk.process is not None
    await until(
        lambda: on_disk.client.status and not on_disk.client.status.disk_free_bytes,
        within_s=WITHIN_S,
        what="the status says how full the disk is",
    )
    told = on_disk.track()
    assert told is not None
    assert told.number == 0  # no file is being written, and none is claimed to be
    freed_ms = clock.mono_ms()
    disk.free()
    await goes_on(on_disk)
    gap = next(one for one in on_disk.gaps() if one.reason is GapReason.DISK_FULL)
    assert gap.ended
    assert full_ms - HOLE_MS <= gap.start.mono_ms <= freed_ms
    assert end_mono_ms(gap.start, gap.duration_ms) >= freed_ms
    assert on_disk.process.returncode is None  # the same process all along
    assert await on_disk.stop() == 0
    on_disk.check_chain()
    assert faults(on_disk.data_dir / "recordings") == []
    assert max(map(abs, holes_ms(on_disk.entries()))) <= HOLE_MS


async def test_a_disk_that_turns_read_only_and_back(
    on_disk: RecorderOnDisk, disk: SmallDisk, camera: CameraProcess
) -> None:
    clock = SystemClock()
    await on_disk.start()
    await on_disk.recording()
    await until(lambda: has_recorded(on_disk, FPS), within_s=WITHIN_S, what="a second of pictures")
    camera.freeze()  # ends the file that is open, ten seconds before it is full
    await until(
        lambda: says(on_disk, GapReason.CAMERA_SILENT), within_s=WITHIN_S, what="the file is closed"
    )
    disk.turn_read_only()
    camera.wake()
    await until(
        lambda: says(on_disk, GapReason.DISK_READ_ONLY), within_s=WITHIN_S, what="status says so"
    )
    back_ms = clock.mono_ms()
    disk.turn_writable()
    await goes_on(on_disk)
    silent = next(one for one in on_disk.gaps() if one.reason is GapReason.CAMERA_SILENT)
    gap = next(one for one in on_disk.gaps() if one.reason is GapReason.DISK_READ_ONLY)
    assert gap.ended
    assert silent.start.mono_ms < gap.start.mono_ms <= back_ms
    assert end_mono_ms(gap.start, gap.duration_ms) >= back_ms
    assert await on_disk.stop() == 0
    on_disk.check_chain()
    assert faults(on_disk.data_dir / "recordings") == []
    assert max(map(abs, holes_ms(on_disk.entries()))) <= HOLE_MS
