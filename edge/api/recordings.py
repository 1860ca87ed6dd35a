"""Answers for recordings: lists, files by range, thumbnails, clips, slices of the manifest."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any, Final, Literal

import structlog
from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from contracts.api import Problem
from contracts.evidence.entries import TrackId
from contracts.units import MessageId, UtcMs
from edge.api import recording_models as models
from edge.api.access import (
    RECORDING_TICKET,
    Bearer,
    Caller,
    Needs,
    Scope,
    TicketText,
    camera_resource,
    gate_of,
    recording_caller,
    watermark_caller,
)
from edge.api.intervals import Interval, read_interval, read_time
from edge.api.problems import ProblemError
from edge.api.ranges import file_response
from edge.api.recording_models import ClipInfo, RecordingPage, TrackInfo
from edge.evidence.clip_shelf import BusyError, Clip, ClipShelf, ClipTooLargeError
from edge.evidence.clips import CLIP_MAX_MS, ClipDamagedError, NothingRecordedError
from edge.evidence.derived import DerivedFiles
from edge.evidence.index import RecordingIndex
from edge.evidence.moments import AlertMoment, AlertMoments
from edge.evidence.thumbnails import NoPictureInFileError, thumbnail
from edge.evidence.watermark import watermark
from runtime.clock import Clock

log = structlog.get_logger(__name__)

BASE: Final = "/api/v1"
DAY_MS: Final = 86_400_000
LIST_DEFAULT: Final = 200  # three hours of segments of a minute
LIST_MAX: Final = 1_000
LIST_INTERVAL_MAX_MS: Final = 366 * DAY_MS  # a year; pages carry the rest
SLICE_INTERVAL_MAX_MS: Final = 31 * DAY_MS  # 45,000 lines, 30 MB
SLICE_LINES: Final = 1_000  # read at once
CLIP_MIN_MS: Final = 1_000  # a shorter one may hold no picture at all
BEFORE_ALERT_MS: Final = 10_000
AFTER_ALERT_MS: Final = 20_000
SETTLED_MS: Final = 1_500
# A fragment of 500 ms, a sync, and the index's own pace: then the last second is on disk.
STILL_WIDTH_PX: Final = 640  # a player's width on a page of four; 30 to 60 KB
ANY_ORIGIN: Final = {"Access-Control-Allow-Origin": "*"}
# A page of the controller's console reads what the clip really holds. No cookie opens anything
# here: whoever reads it has sent a ticket or a token.
NUMBER_MAX: Final = 99_999_999  # eight digits, as in the file's name
CLIPS_MAX_BYTES: Final = 2 * 1024**3  # two of the largest; the disk is there to record
CLIP_IDLE_MS: Final = 15 * 60_000  # as long as one looks at a clip, and a page's ticket lives
MARKED_MAX_BYTES: Final = 512 * 1024**2  # some twenty minutes; the controller fetches at once
WATERMARKED_MAX_MS: Final = 120_000  # encoding a minute takes a core some twenty seconds
THUMBNAILS_MAX_BYTES: Final = 256 * 1024**2  # some 20,000: two weeks of one camera
THUMBNAIL_IDLE_MS: Final = 7 * DAY_MS
FILE_CACHE: Final = "private, max-age=3600, immutable"
GROWING: Final = "no-store"


@dataclass(frozen=True, slots=True)
class Playback:
    """What the API needs to answer for recordings."""

    index: RecordingIndex
    clips: ClipShelf
    thumbnails: DerivedFiles
    moments: AlertMoments
    clock: Clock
    marked: DerivedFiles
    """Clips with somebody's name burnt in."""


def open_playback(
    data_dir: FilePath, index: RecordingIndex, moments: AlertMoments, clock: Clock
) -> Playback:
    """What the API shows of recordings; what it makes for that lies in ``data_dir``, bounded."""
    clips = DerivedFiles(data_dir / "clips", clock, bytes_max=CLIPS_MAX_BYTES, idle_ms=CLIP_IDLE_MS)
    thumbnails = DerivedFiles(
        data_dir / "thumbnails", clock, bytes_max=THUMBNAILS_MAX_BYTES, idle_ms=THUMBNAIL_IDLE_MS
    )
    marked = DerivedFiles(
        data_dir / "watermarked", clock, bytes_max=MARKED_MAX_BYTES, idle_ms=CLIP_IDLE_MS
    )
    return Playback(index, ClipShelf(index, clips), thumbnails, moments, clock, marked)


_MISSING: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "Nothing of that name or time was recorded here."}
}
_GONE: Final[dict[int | str, dict[str, Any]]] = {
    410: {"model": Problem, "description": "It was deleted; the manifest says when and why."}
}
_RANGES: Final[dict[int | str, dict[str, Any]]] = {
    206: {"description": "The range that was asked for."},
    400: {"model": Problem, "description": "The header Range cannot be read."},
    416: {"model": Problem, "description": "No byte of the file is in the range."},
}
_BUSY: Final[dict[int | str, dict[str, Any]]] = {
    503: {"model": Problem, "description": "Too many clips at once, or the disk refused."}
}
_EARLY: Final[dict[int | str, dict[str, Any]]] = {
    425: {"model": Problem, "description": "The 20 s after the alert are not over yet."}
}


def _media(content_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {content_type: {"schema": {"type": "string", "format": "binary"}}}}}


_Viewer = Annotated[Caller, Depends(recording_caller)]
CameraIdPath = Annotated[TrackId, Path(description="Id of a camera, or of a pickup.")]
NumberPath = Annotated[int, Path(ge=1, le=NUMBER_MAX, description="Number of a file.")]
FromQuery = Annotated[
    str | None,
    Query(alias="from", description="ISO 8601 with its offset, or milliseconds since 1970."),
]
ToQuery = Annotated[str | None, Query(alias="to", description="The same; left out: now.")]


def add_recordings(app: FastAPI, playback: Playback) -> None:
    """Add every route of recordings."""
    _add_tracks(app, playback)
    _add_list(app, playback)
    _add_files(app, playback)
    _add_clips(app, playback)
    _add_watermarked(app, playback)
    _add_stills(app, playback)
    _add_alert_clips(app, playback)
    _add_manifest(app, playback)


def _add_tracks(app: FastAPI, its: Playback) -> None:
    @app.get(f"{BASE}/tracks", tags=["recordings"], dependencies=[Depends(Needs(Scope.RECORDING))])
    def get_tracks() -> list[TrackInfo]:
        """Everything that is recorded here: cameras, and pickups that are no part of a camera."""
        return [models.track_info(row, _kind_of(its, row.track_id)) for row in its.index.tracks()]


def _kind_of(its: Playback, track_id: TrackId) -> Literal["camera", "pickup"]:
    first = next(iter(its.index.segments(track_id, 0, its.clock.utc_ms(), 1)), None)
    return "pickup" if first is not None and first.media.video is None else "camera"


def _known(its: Playback, camera_id: TrackId) -> None:
    if not its.index.knows(camera_id):
        raise ProblemError(
            404, "No such track", f"no camera or pickup {camera_id} is recorded on this node"
        )


def _add_list(app: FastAPI, its: Playback) -> None:
    @app.get(f"{BASE}/cameras/{{camera_id}}/recordings", tags=["recordings"], responses=_MISSING)
    def get_recordings(
        camera_id: CameraIdPath,
        caller: _Viewer,
        begin: FromQuery = None,
        end: ToQuery = None,
        limit: Annotated[int, Query(ge=1, le=LIST_MAX)] = LIST_DEFAULT,
        after: Annotated[int | None, Query(ge=1, le=NUMBER_MAX)] = None,
    ) -> RecordingPage:
        """Segments and gaps that overlap an interval, by start; a day if none is named."""
        _known(its, camera_id)
        asked = read_interval(
            begin, end, its.clock.utc_ms(),
            default_ms=DAY_MS, max_ms=LIST_INTERVAL_MAX_MS, past=False,
        )  # fmt: skip
        return _page(its, camera_id, asked, limit, after)


def _page(
    its: Playback, camera_id: TrackId, asked: Interval, limit: int, after: int | None
) -> RecordingPage:
    begin, end = asked.from_utc_ms, asked.to_utc_ms
    if after is not None:
        last = its.index.segment(camera_id, after)
        if last is None:
            raise ProblemError(
                422, "No such page", f"after={after} is no recording of {camera_id}; start again"
            )
        begin = max(begin, last.start_utc_ms)
    rows = its.index.segments(camera_id, asked.from_utc_ms, end, limit + 1, after)
    more = len(rows) > limit
    rows = rows[:limit]
    gaps = its.index.gaps(camera_id, begin, rows[-1].start_utc_ms if more else end, LIST_MAX)
    if after is not None:
        gaps = [gap for gap in gaps if gap.start_utc_ms >= begin]  # the rest was told before
    folder = f"{camera_resource(camera_id)}/recordings"
    growing = its.index.open_segment(camera_id)
    if growing is not None and not (growing.bytes and growing.start_utc_ms < end and not more):
        growing = None
    return RecordingPage(
        camera_id=camera_id,
        from_utc_ms=asked.from_utc_ms,
        to_utc_ms=asked.to_utc_ms,
        segments=tuple(models.segment_info(row, f"{folder}/{row.number}.mp4") for row in rows),
        gaps=tuple(models.gap_info(gap) for gap in gaps),
        open=models.open_info(growing, f"{folder}/{growing.number}.mp4") if growing else None,
        next=rows[-1].number if more else None,
    )


def _add_files(app: FastAPI, its: Playback) -> None:
    @app.get(
        f"{BASE}/cameras/{{camera_id}}/recordings/{{number}}.mp4",
        tags=["recordings"],
        response_class=StreamingResponse,
        responses={**_media("video/mp4"), **_MISSING, **_GONE, **_RANGES},
    )
    def get_recording(
        request: Request, camera_id: CameraIdPath, number: NumberPath, caller: _Viewer
    ) -> StreamingResponse:
        """One file as it was written, also by range and with `?ticket=`.

        The file that is being written is served up to its last whole fragment.
        """
        found = _file(its, camera_id, number)
        log.info("recording_served", camera_id=camera_id, number=number, caller=caller.name)
        headers = {
            "Cache-Control": FILE_CACHE if found.sha256 else GROWING,
            "Content-Disposition": f'inline; filename="{found.path.name}"',
            "X-Start-Utc-Ms": str(found.start_utc_ms),
        }
        return file_response(request, found.path, found.bytes, etag=found.etag, headers=headers)

    @app.get(
        f"{BASE}/cameras/{{camera_id}}/recordings/{{number}}/thumbnail.jpg",
        tags=["recordings"],
        response_class=Response,
        responses={**_media("image/jpeg"), **_MISSING, **_GONE},
    )
    def get_thumbnail(camera_id: CameraIdPath, number: NumberPath, caller: _Viewer) -> Response:
        """The first key frame of a file, 320 pixels wide; also with `?ticket=`."""
        found = _file(its, camera_id, number)
        headers = {"Cache-Control": FILE_CACHE if found.sha256 else GROWING}
        return Response(_thumbnail(its, found), media_type="image/jpeg", headers=headers)


@dataclass(frozen=True, slots=True)
class _File:
    path: FilePath
    bytes: int
    start_utc_ms: UtcMs
    sha256: str | None

    @property
    def etag(self) -> str:
        return f'"{self.sha256}"' if self.sha256 else f'"{self.path.stem}-{self.bytes}"'


def _file(its: Playback, camera_id: TrackId, number: int) -> _File:
    row = its.index.segment(camera_id, number)
    if row is None:
        for growing in its.index.open_segments(camera_id):
            if growing.number == number and growing.bytes:
                return _File(growing.path, growing.bytes, growing.start_utc_ms, None)
        raise ProblemError(
            404, "No such recording", f"camera {camera_id} has no recording {number} on this node"
        )
    if row.deleted is not None:
        raise ProblemError(
            410, "Deleted", f"recording {number} of {camera_id} was deleted ({row.deleted})"
        )
    path = its.index.file_of(row)
    if not path.exists():
        raise ProblemError(
            404,
            "File missing",
            f"{row.file} is in the manifest and not on this disk; ask for a copy of it, and run "
            "zeroentry evidence verify",
        )
    return _File(path, min(path.stat().st_size, row.bytes), row.start_utc_ms, row.sha256)


def _thumbnail(its: Playback, found: _File) -> bytes:
    name = f"{found.sha256}.jpg"
    try:
        if found.sha256 is None:
            return thumbnail(found.path, found.bytes)
        kept = its.thumbnails.find(name) or its.thumbnails.make(
            name, lambda target: _written(target, thumbnail(found.path, found.bytes))
        )
        return kept.read_bytes()
    except NoPictureInFileError as error:
        raise ProblemError(404, "No picture", f"{error} holds no picture to show") from None
    except OSError as error:
        raise _disk_refused(error) from None


def _written(target: FilePath, content: bytes) -> None:
    target.write_bytes(content)


def _disk_refused(error: OSError) -> ProblemError:
    log.error("recording_unreadable", error=str(error))
    return ProblemError(
        503, "Disk refused", f"the node's disk refused: {error.strerror}", retry_after_s=5
    )


def _cut(its: Playback, camera_id: TrackId, asked: Interval, caller: Caller) -> Clip:
    try:
        clip = its.clips.clip(camera_id, asked.from_utc_ms, asked.to_utc_ms)
    except NothingRecordedError:
        raise ProblemError(404, "Nothing recorded", _why_nothing(its, camera_id, asked)) from None
    except ClipTooLargeError:
        raise ProblemError(
            422, "Interval too long", "the clip would be above 1 GiB: ask for a shorter one"
        ) from None
    except ClipDamagedError as error:
        raise ProblemError(
            422, "Recording damaged", f"{error}; fetch the file itself, or ask for another interval"
        ) from None
    except BusyError:
        raise ProblemError(503, "Busy", "other clips are being cut", retry_after_s=5) from None
    except OSError as error:
        raise _disk_refused(error) from None
    log.info(
        "clip_served", camera_id=camera_id, caller=caller.name,
        from_utc_ms=asked.from_utc_ms, to_utc_ms=asked.to_utc_ms,
    )  # fmt: skip
    return clip


def _why_nothing(its: Playback, camera_id: TrackId, asked: Interval) -> str:
    gaps = its.index.gaps(camera_id, asked.from_utc_ms, asked.to_utc_ms, 5)
    reasons = ", ".join(sorted({gap.reason.value for gap in gaps}))
    why = f"; the manifest gives as the reason: {reasons}" if reasons else ""
    return f"camera {camera_id} has no recording in this interval{why}"


def _clip_response(request: Request, camera_id: TrackId, clip: Clip) -> StreamingResponse:
    facts = clip.facts
    headers = {
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'inline; filename="{camera_id}_{facts.start_utc_ms}.mp4"',
        "X-Clip-Start-Utc-Ms": str(facts.start_utc_ms),
        "X-Clip-End-Utc-Ms": str(facts.end_utc_ms),
        "X-Clip-Gaps": str(len(clip.gaps)),
        "X-Clip-Missing-Files": str(len(clip.missing)),
    }
    return file_response(
        request, clip.path, clip.bytes, etag=f'"{clip.path.stem}"', headers=headers
    )


def _clip_interval(its: Playback, begin: str | None, end: str | None) -> Interval:
    return read_interval(
        begin, end, its.clock.utc_ms(),
        default_ms=60_000, max_ms=CLIP_MAX_MS, min_ms=CLIP_MIN_MS, past=True,
    )  # fmt: skip


_CLIP: Final = {**_media("video/mp4"), **_MISSING, **_RANGES, **_BUSY}


def _add_clips(app: FastAPI, its: Playback) -> None:
    @app.get(
        f"{BASE}/cameras/{{camera_id}}/clip.mp4",
        tags=["recordings"],
        response_class=StreamingResponse,
        responses=_CLIP,
    )
    def get_clip(
        request: Request,
        camera_id: CameraIdPath,
        caller: _Viewer,
        begin: FromQuery = None,
        end: ToQuery = None,
    ) -> StreamingResponse:
        """Ten minutes at most, from the key frame before `from`, not re-encoded.

        Gaps stand still in it. Its true start is in X-Clip-Start-Utc-Ms; clip.json says it all.
        """
        _known(its, camera_id)
        clip = _cut(its, camera_id, _clip_interval(its, begin, end), caller)
        return _clip_response(request, camera_id, clip)

    @app.get(
        f"{BASE}/cameras/{{camera_id}}/clip.json",
        tags=["recordings"],
        responses={**_MISSING, **_BUSY},
    )
    def get_clip_info(
        camera_id: CameraIdPath,
        caller: _Viewer,
        response: Response,
        begin: FromQuery = None,
        end: ToQuery = None,
    ) -> ClipInfo:
        """What the clip of the same interval really holds."""
        response.headers.update(ANY_ORIGIN)
        _known(its, camera_id)
        asked = _clip_interval(its, begin, end)
        clip = _cut(its, camera_id, asked, caller)
        return models.clip_info(clip, camera_id, asked.from_utc_ms, asked.to_utc_ms)


AtQuery = Annotated[
    str, Query(alias="at", description="ISO 8601 with its offset, or milliseconds since 1970.")
]


def _add_stills(app: FastAPI, its: Playback) -> None:
    @app.get(
        f"{BASE}/cameras/{{camera_id}}/still.jpg",
        tags=["recordings"],
        response_class=Response,
        responses={**_media("image/jpeg"), **_MISSING, **_GONE, **_BUSY},
    )
    def get_still(camera_id: CameraIdPath, caller: _Viewer, at: AtQuery) -> Response:
        """The key frame before a moment, 640 pixels wide: what one sees while dragging in time."""
        _known(its, camera_id)
        moment = read_time("at", at)
        row = next(iter(its.index.segments(camera_id, moment, UtcMs(moment + 1), 1)), None)
        growing = its.index.open_segment(camera_id)
        if row is not None:
            found = _file(its, camera_id, row.number)
        elif growing is not None and growing.bytes and growing.start_utc_ms <= moment:
            found = _file(its, camera_id, growing.number)
        else:
            asked = Interval(moment, UtcMs(moment + 1))
            raise ProblemError(404, "Nothing recorded", _why_nothing(its, camera_id, asked))
        offset = max(moment - found.start_utc_ms, 0)
        try:
            picture = thumbnail(found.path, found.bytes, offset, STILL_WIDTH_PX)
        except NoPictureInFileError as error:
            raise ProblemError(404, "No picture", f"{error} holds no picture to show") from None
        except OSError as error:
            raise _disk_refused(error) from None
        log.info("still_served", camera_id=camera_id, caller=caller.name, at_utc_ms=moment)
        headers = {"Cache-Control": FILE_CACHE if found.sha256 else GROWING, **ANY_ORIGIN}
        return Response(picture, media_type="image/jpeg", headers=headers)


def _add_watermarked(app: FastAPI, its: Playback) -> None:
    @app.get(
        f"{BASE}/cameras/{{camera_id}}/watermarked.mp4",
        tags=["recordings"],
        response_class=StreamingResponse,
        responses=_CLIP,
    )
    def get_watermarked(
        request: Request,
        camera_id: CameraIdPath,
        caller: Annotated[Caller, Depends(watermark_caller)],
        begin: FromQuery = None,
        end: ToQuery = None,
    ) -> StreamingResponse:
        """Two minutes at most, with the name of the ticket's holder burnt in; without sound."""
        _known(its, camera_id)
        asked = read_interval(
            begin, end, its.clock.utc_ms(),
            default_ms=60_000, max_ms=WATERMARKED_MAX_MS, min_ms=CLIP_MIN_MS, past=True,
        )  # fmt: skip
        clip = _cut(its, camera_id, asked, caller)
        name = hashlib.sha256(f"{clip.name}|{caller.name}".encode()).hexdigest()[:40] + ".mp4"
        start = clip.facts.start_utc_ms
        try:
            path = its.marked.find(name) or its.marked.make(
                name, lambda target: _marked(clip.path, caller.name, start, target)
            )
        except ClipDamagedError as error:
            raise ProblemError(422, "Recording damaged", f"{error}; ask for exact files") from None
        except OSError as error:
            raise _disk_refused(error) from None
        headers = {"Cache-Control": GROWING, "X-Clip-Start-Utc-Ms": str(start)}
        size = path.stat().st_size
        return file_response(request, path, size, etag=f'"{path.stem}"', headers=headers)


def _marked(source: FilePath, text: str, start_utc_ms: UtcMs, target: FilePath) -> None:
    watermark(source, text, start_utc_ms, target)


AlertIdPath = Annotated[MessageId, Path(description="Id of an alert.")]
NowQuery = Annotated[
    bool, Query(alias="now", description="Take what there is if the 20 s after are not over.")
]
WhichQuery = Annotated[
    TrackId | None, Query(alias="camera", description="Another camera than the one that saw it.")
]


def _moment(
    its: Playback,
    request: Request,
    alert_id: MessageId,
    camera: TrackId | None,
    sent: Bearer,
    ticket: TicketText,
) -> tuple[AlertMoment, TrackId, Caller]:
    """The alert, the camera to show, and the caller, once he may see that camera's recordings.

    A ticket for the clip's own address opens the camera that saw the alert, and no other.
    """
    gate = gate_of(request)
    moment = its.moments.find(alert_id)
    saw = moment.camera_id if moment else None
    which = camera or saw
    if sent is None and ticket is not None:
        own = (request.url.path,) if which == saw else ()
        resources = (*own, *((camera_resource(which),) if which else ()))
        caller = gate.by_ticket(ticket, resources, scope=RECORDING_TICKET)
    else:
        caller = gate.by_token(sent.credentials if sent else None, Scope.RECORDING)
    if moment is None:
        raise ProblemError(404, "No such alert", f"alert {alert_id} was not raised on this node")
    if which is None:
        raise ProblemError(
            422,
            "Which camera?",
            f"the alert is of area {moment.room_id}: send ?camera= with one of its cameras",
        )
    _known(its, which)
    return moment, which, caller


def _alert_interval(its: Playback, moment: AlertMoment, *, now: bool) -> Interval:
    present = its.clock.utc_ms()
    end = moment.raised_utc_ms + AFTER_ALERT_MS
    ready = end + SETTLED_MS
    if present < ready and not now:
        raise ProblemError(
            425,
            "Too early",
            "the 20 s after the alert are not over; ask again then, or send ?now=1",
            retry_after_s=-((present - ready) // 1000),
        )
    end = min(end, present)
    # A condition may have lasted long before it became an alert: its last ten minutes are shown.
    begin = max(moment.since_utc_ms - BEFORE_ALERT_MS, end - CLIP_MAX_MS)
    return Interval(UtcMs(min(begin, end - CLIP_MIN_MS)), UtcMs(end))


def _add_alert_clips(app: FastAPI, its: Playback) -> None:
    @app.get(
        f"{BASE}/alerts/{{alert_id}}/clip.mp4",
        tags=["recordings"],
        response_class=StreamingResponse,
        responses={**_CLIP, **_EARLY},
    )
    def get_alert_clip(
        request: Request,
        alert_id: AlertIdPath,
        sent: Bearer,
        ticket: TicketText,
        camera: WhichQuery = None,
        now: NowQuery = False,  # noqa: FBT002  # a query parameter, always given by name
    ) -> StreamingResponse:
        """From 10 s before an alert began to 20 s after it was raised; also with `?ticket=`."""
        moment, which, caller = _moment(its, request, alert_id, camera, sent, ticket)
        clip = _cut(its, which, _alert_interval(its, moment, now=now), caller)
        return _clip_response(request, which, clip)

    @app.get(
        f"{BASE}/alerts/{{alert_id}}/clip.json",
        tags=["recordings"],
        responses={**_MISSING, **_BUSY, **_EARLY},
    )
    def get_alert_clip_info(
        request: Request,
        alert_id: AlertIdPath,
        sent: Bearer,
        ticket: TicketText,
        camera: WhichQuery = None,
        now: NowQuery = False,  # noqa: FBT002  # a query parameter, always given by name
    ) -> ClipInfo:
        """What the clip of this alert really holds."""
        moment, which, caller = _moment(its, request, alert_id, camera, sent, ticket)
        asked = _alert_interval(its, moment, now=now)
        clip = _cut(its, which, asked, caller)
        return models.clip_info(clip, which, asked.from_utc_ms, asked.to_utc_ms)


def _add_manifest(app: FastAPI, its: Playback) -> None:
    @app.get(
        f"{BASE}/cameras/{{camera_id}}/manifest.jsonl",
        tags=["recordings"],
        response_class=StreamingResponse,
        responses={**_media("application/jsonl"), **_MISSING},
    )
    def get_manifest(
        camera_id: CameraIdPath, caller: _Viewer, begin: FromQuery = None, end: ToQuery = None
    ) -> StreamingResponse:
        """The manifest's own lines, whole and in order, of everything that overlaps an interval."""
        _known(its, camera_id)
        asked = read_interval(
            begin, end, its.clock.utc_ms(),
            default_ms=DAY_MS, max_ms=SLICE_INTERVAL_MAX_MS, past=False,
        )  # fmt: skip
        reach = its.index.sequences(camera_id, asked.from_utc_ms, asked.to_utc_ms)
        if reach is None:
            raise ProblemError(404, "Nothing recorded", _why_nothing(its, camera_id, asked))
        log.info("manifest_served", camera_id=camera_id, caller=caller.name)
        name = f"{camera_id}_{reach[0]}-{reach[1]}.manifest.jsonl"
        headers = {
            "Cache-Control": GROWING,
            "Content-Disposition": f'attachment; filename="{name}"',
        }
        return StreamingResponse(
            _lines(its, camera_id, *reach), media_type="application/jsonl", headers=headers
        )


def _lines(its: Playback, camera_id: TrackId, first: int, last: int) -> Iterator[bytes]:
    at = first - 1
    while at < last:
        page = its.index.lines_after(camera_id, at, min(SLICE_LINES, last - at))
        if not page:
            return
        yield b"".join(line.line + b"\n" for line in page if line.sequence <= last)
        at = max(line.sequence for line in page)
