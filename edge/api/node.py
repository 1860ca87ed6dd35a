"""Gives the API its view of the running service."""

from collections.abc import Sequence
from typing import Protocol

from contracts.devices import CameraConfig, Site
from contracts.observations import NodeHealth
from contracts.units import CameraId, NodeId
from edge.api.app import AreaInfo, CameraInfo, NodeInfo, SealInfo
from edge.core.room import camera_view
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
    ) -> None:
        self._site = site
        self._node_id = node_id
        self._service = service
        self._shows = tuple(shows)
        self._metrics = metrics
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
            width_px=frame.rgb.shape[1] if frame else None,
            height_px=frame.rgb.shape[0] if frame else None,
            view=camera_view(room.state, camera.id, room.now()),
            health=health.get(camera.id),
            viewers=sum(show.viewers(camera.id) for show in self._shows),
        )

    def health(self) -> NodeHealth:
        return self._service.health

    def metrics(self) -> bytes:
        return self._metrics.render()
