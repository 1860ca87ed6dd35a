"""Holds what the API says of recordings: tracks, segments, gaps, clips."""

from typing import Literal

from pydantic import Field

from contracts.envelope import Strict
from contracts.evidence.entries import Ending, GapReason, Media, TrackId
from contracts.units import Sha256Hex, UtcMs
from edge.evidence.clip_shelf import Clip
from edge.evidence.index_rows import GapRow, OpenSegment, SegmentRow, TrackRow


class TrackInfo(Strict):
    """One recorded track, without what was deleted. Times are null while nothing is recorded."""

    track_id: TrackId
    kind: Literal["camera", "pickup"]
    first_utc_ms: UtcMs | None
    last_utc_ms: UtcMs | None
    seconds: float
    bytes: int
    segments: int


class SegmentInfo(Strict):
    """One finished file, as the manifest tells of it. ``deleted`` says why it is no longer here."""

    number: int
    start_utc_ms: UtcMs
    duration_ms: int
    bytes: int
    sha256: Sha256Hex
    media: Media
    ending: Ending
    recovered_bytes: int | None
    sound_offset_ms: int | None
    deleted: str | None
    file: str
    path: str | None = Field(description="Where to fetch it; null when it was deleted.")


class GapInfo(Strict):
    """Time without a recording; ``ended`` is false while it lasts."""

    start_utc_ms: UtcMs
    duration_ms: int
    reason: GapReason
    detail: str
    ended: bool


class OpenInfo(Strict):
    """The file that is being written, as far as it can be played."""

    number: int
    start_utc_ms: UtcMs
    start_error_ms: int = Field(description="How far the start may be off.")
    bytes: int
    path: str


class RecordingPage(Strict):
    """Segments and gaps that overlap an interval, by start."""

    camera_id: TrackId
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs
    segments: tuple[SegmentInfo, ...]
    gaps: tuple[GapInfo, ...]
    open: OpenInfo | None
    next: int | None = Field(description="Send it as `after` for the next page; null: all told.")


class ClipInfo(Strict):
    """A clip as it really came out: it begins at a key frame, and gaps stand still in it."""

    camera_id: TrackId
    asked_from_utc_ms: UtcMs
    asked_to_utc_ms: UtcMs
    start_utc_ms: UtcMs
    start_error_ms: int
    end_utc_ms: UtcMs
    bytes: int
    numbers: tuple[int, ...] = Field(description="Files that it was cut from.")
    missing: tuple[int, ...] = Field(description="Files that should be on this disk and are not.")
    gaps: tuple[GapInfo, ...]
    sound: bool
    sound_left_out: str | None = Field(description="Codec of a sound that MP4 does not carry.")
    changed_at_utc_ms: UtcMs | None = Field(
        description="Here the stream's codec or size changed and the clip ends; ask for the rest."
    )


def segment_info(row: SegmentRow, path: str) -> SegmentInfo:
    """A row as the API says it."""
    return SegmentInfo(
        number=row.number,
        start_utc_ms=row.start_utc_ms,
        duration_ms=row.duration_ms,
        bytes=row.bytes,
        sha256=row.sha256,
        media=row.media,
        ending=row.ending,
        recovered_bytes=row.recovered_bytes,
        sound_offset_ms=row.sound_offset_ms,
        deleted=row.deleted,
        file=row.file,
        path=path if row.deleted is None else None,
    )


def gap_info(row: GapRow) -> GapInfo:
    """A row as the API says it."""
    return GapInfo(
        start_utc_ms=row.start_utc_ms,
        duration_ms=row.duration_ms,
        reason=row.reason,
        detail=row.detail,
        ended=row.ended,
    )


def open_info(file: OpenSegment, path: str) -> OpenInfo:
    """A growing file as the API says it."""
    return OpenInfo(
        number=file.number,
        start_utc_ms=file.start_utc_ms,
        start_error_ms=file.start_error_ms,
        bytes=file.bytes,
        path=path,
    )


def track_info(row: TrackRow, kind: Literal["camera", "pickup"]) -> TrackInfo:
    """A row as the API says it."""
    return TrackInfo(
        track_id=row.track_id,
        kind=kind,
        first_utc_ms=row.first_utc_ms,
        last_utc_ms=row.last_utc_ms,
        seconds=row.duration_ms / 1000,
        bytes=row.bytes,
        segments=row.segments,
    )


def clip_info(clip: Clip, camera_id: TrackId, from_utc_ms: UtcMs, to_utc_ms: UtcMs) -> ClipInfo:
    """A clip as the API says it."""
    facts = clip.facts
    return ClipInfo(
        camera_id=camera_id,
        asked_from_utc_ms=from_utc_ms,
        asked_to_utc_ms=to_utc_ms,
        start_utc_ms=facts.start_utc_ms,
        start_error_ms=clip.start_error_ms,
        end_utc_ms=facts.end_utc_ms,
        bytes=clip.bytes,
        numbers=facts.numbers,
        missing=clip.missing,
        gaps=tuple(gap_info(gap) for gap in clip.gaps),
        sound=facts.sound,
        sound_left_out=facts.sound_left_out,
        changed_at_utc_ms=facts.changed_at_utc_ms,
    )
