"""The node's HTTP API: what each route answers, all of them behind a token."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Final, Protocol

from fastapi import Depends, FastAPI, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from contracts.admission import AreaKind
from contracts.api import Problem
from contracts.devices import Named
from contracts.envelope import Strict
from contracts.evidence.entries import CopyName
from contracts.observations import Alert, CameraHealth, CameraView, NodeHealth, RoomObservation
from contracts.units import CameraId, NodeId, RoomId, SessionId, Sha256Hex, SiteId, UtcMs
from edge.api import live, problems
from edge.api.access import CONTROLLER, Caller, Gate, Needs, Scope, media_caller
from edge.api.live import LiveHub, NoPictureError, TooManyViewersError, Variant, nearest_width
from edge.api.live_socket import add_live_video
from edge.api.live_video import LiveVideo
from edge.api.problems import ProblemError
from edge.api.recordings import Playback, add_recordings
from edge.api.views import add_views
from edge.api.zones import ZoneDesk, add_zones

BASE: Final = "/api/v1"
PICTURE_CACHE_S: Final = 86_400  # content-addressed: it never changes


class NodeInfo(Strict):
    """One edge node."""

    node_id: NodeId
    site_id: SiteId
    version: str
    areas: tuple[RoomId, ...]
    cameras: tuple[CameraId, ...]


class SealInfo(Strict):
    """The session that a room is sealed for."""

    session_id: SessionId
    admitted: int


class AreaInfo(Strict):
    """One watched area: what it is, its seal, what is seen in it, which alerts stand."""

    id: RoomId
    name: Named
    kind: AreaKind
    sealed: SealInfo | None = None
    observation: RoomObservation
    alerts: tuple[Alert, ...] = ()
    drifted: tuple[str, ...] = Field(
        default=(), description="What differs from what the seal froze: rules, zones, devices."
    )


class CameraInfo(Strict):
    """One camera: where it is, what it shows and how it fares."""

    id: CameraId
    area: RoomId
    name: Named
    simulated: bool
    analyse_fps: float
    width_px: int | None = Field(default=None, description="Width of the analysed picture.")
    height_px: int | None = Field(default=None, description="Height of the analysed picture.")
    view: CameraView
    health: CameraHealth | None = None
    viewers: int = Field(description="Live viewers now.")


class CopyPlaceInfo(Strict):
    """One place that copies go to. ``failing_since_utc_ms`` None: it works."""

    name: CopyName
    failing_since_utc_ms: UtcMs | None = None
    error: str | None = None


class StorageInfo(Strict):
    """How long the recordings' disk lasts, and what fifteen years would take."""

    disk_free_bytes: int | None = None
    disk_total_bytes: int | None = None
    bytes_per_day: int | None = Field(default=None, description="At the rate of the last hour.")
    days_left: float | None = Field(default=None, description="None: nothing is being recorded.")
    fifteen_years_bytes: int | None = Field(
        default=None, description="If every hour were sealed: what an archive is planned for."
    )
    short_bytes: int = Field(
        default=0, description="Missing below the critical mark, with nothing left that may go."
    )
    places: tuple[CopyPlaceInfo, ...] = ()


class NodeReader(Protocol):
    """What the API needs to know of the node."""

    def info(self) -> NodeInfo: ...

    def areas(self) -> Sequence[AreaInfo]: ...

    def cameras(self) -> Sequence[CameraInfo]: ...

    def health(self) -> NodeHealth: ...

    def storage(self) -> StorageInfo: ...

    def metrics(self) -> bytes: ...


class PictureReader(Protocol):
    """What the API needs of the pictures on disk."""

    def read(self, sha256: str) -> bytes | None: ...

    def mark_fetched(self, sha256: str) -> None: ...


_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Problem, "description": "Token or ticket missing, unknown or expired."},
    403: {"model": Problem, "description": "The token lacks the scope."},
    422: {"model": Problem, "description": "A parameter is not valid."},
}
_MISSING: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "Not on this node."}
}
_NO_PICTURE: Final[dict[int | str, dict[str, Any]]] = {
    503: {"model": Problem, "description": "No picture yet, or too many viewers."}
}


def _image(content_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {content_type: {"schema": {"type": "string", "format": "binary"}}}}}


_View = Depends(Needs(Scope.VIEW))
MediaCaller = Annotated[Caller, Depends(media_caller)]
AreaIdPath = Annotated[RoomId, Path(description="Id of an area.")]
CameraIdPath = Annotated[CameraId, Path(description="Id of a camera.")]
BoxesQuery = Annotated[bool, Query(description="Draw the people and the head count.")]
AttentionQuery = Annotated[
    bool, Query(description="Draw what moved, what the detector was shown, and why.")
]
WidthQuery = Annotated[
    int | None, Query(ge=64, le=1920, description="Wanted width; rounded up to an offered one.")
]


def build(
    node: NodeReader,
    hub: LiveHub,
    pictures: PictureReader,
    gate: Gate,
    *,
    version: str,
    playback: Playback | None = None,
    video: LiveVideo | None = None,
    zones: ZoneDesk | None = None,
) -> FastAPI:
    """The application of one node; ``playback``, ``video`` and ``zones`` where it has them."""
    app = FastAPI(
        title="Zero Entry edge node",
        version=version,
        summary="Rooms, cameras, pictures and health of one edge node.",
        openapi_url=None,  # served below, behind a token like everything else
        docs_url=None,
        redoc_url=None,
        responses=_ERRORS,
    )
    app.state.gate = gate
    problems.install(app)
    _add_node(app, node)
    _add_areas(app, node)
    _add_cameras(app, node)
    _add_views(app, node, hub)
    _add_pictures(app, pictures)
    if playback is not None:
        add_recordings(app, playback)
    if video is not None:
        add_live_video(app, video, gate)
    if zones is not None:
        add_zones(app, zones)
    add_views(app)
    return app


def _add_node(app: FastAPI, node: NodeReader) -> None:
    @app.get(f"{BASE}/node", tags=["node"], dependencies=[_View])
    async def get_node() -> NodeInfo:
        """The node, its areas and cameras."""
        return node.info()

    @app.get(f"{BASE}/health", tags=["node"], dependencies=[_View])
    async def get_health() -> NodeHealth:
        """The node's own word on itself, as it goes out over MQTT."""
        return node.health()

    @app.get(f"{BASE}/storage", tags=["node"], dependencies=[_View])
    async def get_storage() -> StorageInfo:
        """The recordings' disk: days left, forecast, and how copies fare."""
        return node.storage()

    @app.get(
        "/metrics",
        tags=["node"],
        dependencies=[Depends(Needs(Scope.METRICS))],
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def get_metrics() -> Response:
        """Figures for Prometheus."""
        return Response(node.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get(f"{BASE}/openapi.json", tags=["node"], dependencies=[_View])
    async def get_openapi() -> dict[str, Any]:
        """This description."""
        return app.openapi()


def _add_areas(app: FastAPI, node: NodeReader) -> None:
    @app.get(f"{BASE}/areas", tags=["areas"], dependencies=[_View])
    async def get_areas() -> list[AreaInfo]:
        """All areas that this node watches."""
        return list(node.areas())

    @app.get(f"{BASE}/areas/{{area_id}}", tags=["areas"], dependencies=[_View], responses=_MISSING)
    async def get_area(area_id: AreaIdPath) -> AreaInfo:
        """One area."""
        for area in node.areas():
            if area.id == area_id:
                return area
        raise ProblemError(404, "No such area", f"area {area_id} is not on this node")


def _camera_or_404(node: NodeReader, camera_id: CameraId) -> CameraInfo:
    for camera in node.cameras():
        if camera.id == camera_id:
            return camera
    raise ProblemError(404, "No such camera", f"camera {camera_id} is not on this node")


def _add_cameras(app: FastAPI, node: NodeReader) -> None:
    @app.get(f"{BASE}/cameras", tags=["cameras"], dependencies=[_View])
    async def get_cameras() -> list[CameraInfo]:
        """All cameras of this node."""
        return list(node.cameras())

    @app.get(
        f"{BASE}/cameras/{{camera_id}}", tags=["cameras"], dependencies=[_View], responses=_MISSING
    )
    async def get_camera(camera_id: CameraIdPath) -> CameraInfo:
        """One camera."""
        return _camera_or_404(node, camera_id)


def _add_views(app: FastAPI, node: NodeReader, hub: LiveHub) -> None:
    @app.get(
        f"{BASE}/cameras/{{camera_id}}/snapshot.jpg",
        tags=["cameras"],
        response_class=Response,
        responses={**_image("image/jpeg"), **_MISSING, **_NO_PICTURE},
    )
    async def get_snapshot(
        camera_id: CameraIdPath,
        caller: MediaCaller,
        boxes: BoxesQuery = False,  # noqa: FBT002  # a query parameter, always given by name
        width: WidthQuery = None,
        attention: AttentionQuery = False,  # noqa: FBT002  # as boxes
    ) -> Response:
        """The newest analysed picture; also with `?ticket=`."""
        _camera_or_404(node, camera_id)
        try:
            variant = Variant(boxes, nearest_width(width), attention)
            content, frame = await hub.jpeg(camera_id, variant)
        except NoPictureError:
            raise _no_picture(camera_id) from None
        headers = {"Cache-Control": "no-store", "X-Frame-Utc-Ms": str(frame.at.utc_ms)}
        return Response(content, media_type="image/jpeg", headers=headers)

    @app.get(
        f"{BASE}/cameras/{{camera_id}}/live.mjpg",
        tags=["cameras"],
        response_class=Response,
        responses={**_image("multipart/x-mixed-replace"), **_MISSING, **_NO_PICTURE},
    )
    async def get_live(
        camera_id: CameraIdPath,
        caller: MediaCaller,
        boxes: BoxesQuery = False,  # noqa: FBT002  # a query parameter, always given by name
        width: WidthQuery = None,
        attention: AttentionQuery = False,  # noqa: FBT002  # as boxes
    ) -> StreamingResponse:
        """Analysed pictures as they come, at most 8 a second; also with `?ticket=`."""
        _camera_or_404(node, camera_id)
        parts = hub.watch(camera_id, Variant(boxes, nearest_width(width), attention))
        try:
            first = await anext(parts)
        except TooManyViewersError:
            raise ProblemError(
                503, "Too many viewers", "close another live view of this camera", retry_after_s=5
            ) from None
        return StreamingResponse(
            _all_of(first, parts),
            media_type=live.CONTENT_TYPE,
            headers={"Cache-Control": "no-store"},
        )


async def _all_of(first: bytes, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in parts:
        yield part


def _no_picture(camera_id: CameraId) -> ProblemError:
    return ProblemError(
        503, "No picture", f"camera {camera_id} has shown nothing yet", retry_after_s=1
    )


def _add_pictures(app: FastAPI, pictures: PictureReader) -> None:
    @app.get(
        f"{BASE}/pictures/{{sha256}}.jpg",
        tags=["pictures"],
        response_class=Response,
        responses={**_image("image/jpeg"), **_MISSING},
    )
    def get_picture(
        sha256: Annotated[Sha256Hex, Path(description="SHA-256 of the picture.")],
        caller: MediaCaller,
    ) -> Response:
        """The picture of an alert, byte for byte as hashed; also with `?ticket=`.

        A bearer token, or a ticket of the controller itself, counts as fetched: the node may then
        delete the picture when it needs the room.
        """
        content = pictures.read(sha256)
        if content is None:
            raise ProblemError(404, "No such picture", "it was never here, or its time is over")
        if not caller.by_ticket or caller.name == CONTROLLER:
            pictures.mark_fetched(sha256)
        headers = {
            "Cache-Control": f"private, max-age={PICTURE_CACHE_S}, immutable",
            "ETag": f'"{sha256}"',
        }
        return Response(content, media_type="image/jpeg", headers=headers)
