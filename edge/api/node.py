"""Gives the API its view of the running service."""

from collections.abc import Sequence
from typing import Protocol

from contracts.devices import CameraConfig, Site
from contracts.observations import NodeHealth
from contracts.units import CameraId, NodeId
from edge.api.app import (
    AreaInfo,
    CameraInfo,
    CopyPlaceInfo,
    NodeInfo,
    SealInfo,
    StorageInfo,
)
from edge.core.room import camera_view
from edge.keeper import Keeper
from edge.service import NodeService, RoomService
from edge.version import product_version
from runtime.metrics import Metrics


class Viewed(Protocol):
    """A way to look at cameras that knows how many do."""

    def viewers(self, camera_id: CameraId) -> int: ...


class NodeView:
    """The node as ``app.NodeReader``."""

    def __init__(
        self,
        site: Site,
        node_id: NodeId,
        service: NodeService,
        shows: Sequence[Viewed],
        metrics: Metrics,
        keeper: Keeper | None = None,
    ) -> None:
        self._site = site
        self._node_id = node_id
        self._service = service
        self._shows = tuple(shows)
        self._metrics = metrics
        self._keeper = keeper
        self._cameras = tuple(
            camera for camera in site.cameras if service.room_of(camera.id) is not None
        )

    def info(self) -> NodeInfo:
        return NodeInfo(
            node_id=self._node_id,
            site_id=self._site.config.id,
            version=product_version(),
            areas=tuple(self._service.rooms),
            cameras=tuple(camera.id for camera in self._cameras),
        )

    def areas(self) -> Sequence[AreaInfo]:
        return [self._area(room) for room in self._service.rooms.values()]

    def _area(self, room: RoomService) -> AreaInfo:
        area = self._site.area(room.room_id)
        sealed = room.state.sealed
        return AreaInfo(
            id=area.id,
            name=area.name,
            kind=area.kind,
            sealed=SealInfo(session_id=sealed.session_id, admitted=sealed.admitted)
            if sealed
            else None,
            observation=room.observe(),
            alerts=room.state.alerts,
            drifted=room.state.drifted,
        )

    def cameras(self) -> Sequence[CameraInfo]:
        return [self._camera(camera) for camera in self._cameras]

    def _camera(self, camera: CameraConfig) -> CameraInfo:
        room = self._service.rooms[camera.area]
        frame = room.frame(camera.id)
        health = {one.camera_id: one for one in self._service.health.cameras}
        return CameraInfo(
            id=camera.id,
            area=camera.area,
            name=camera.name,
            simulated=camera.simulated,
            analyse_fps=camera.analyse_fps,
            width_px=frame.width_px if frame else None,
            height_px=frame.height_px if frame else None,
            view=camera_view(room.state, camera.id, room.now()),
            health=health.get(camera.id),
            viewers=sum(show.viewers(camera.id) for show in self._shows),
        )

    def health(self) -> NodeHealth:
        return self._service.health

    def storage(self) -> StorageInfo:
        keeper, recording = self._keeper, self._service.health.recording
        told = keeper.forecast if keeper else None
        return StorageInfo(
            disk_free_bytes=recording.disk_free_bytes if recording else None,
            disk_total_bytes=recording.disk_total_bytes if recording else None,
            bytes_per_day=told.bytes_per_day if told else None,
            days_left=told.days_left if told else None,
            fifteen_years_bytes=told.fifteen_years_bytes if told else None,
            short_bytes=keeper.short_bytes if keeper else 0,
            places=tuple(
                CopyPlaceInfo(
                    name=place.name,
                    failing_since_utc_ms=place.failing_since_utc_ms,
                    error=place.error,
                )
                for place in (keeper.places.values() if keeper else ())
            ),
        )

    def metrics(self) -> bytes:
        return self._metrics.render()
