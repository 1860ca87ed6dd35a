"""What is behind the edge API: a node of one room and one camera, one picture, tokens."""

from contracts.admission import AreaKind
from contracts.devices import Named
from contracts.observations import CameraState, CameraView, NodeHealth, NodeState, RoomObservation
from contracts.units import CameraId, UtcMs
from edge.api.app import AreaInfo, CameraInfo, CopyPlaceInfo, NodeInfo, StorageInfo

NAME = Named(zh="室", en="Room")
KEY = b"n" * 32
VIEW, METRICS, OPS, RECORDING = (
    f"{scope}-token-of-the-test-1" for scope in ("view", "metrics", "ops", "recording")
)
TOKENS = f"v:view:{VIEW},m:metrics:{METRICS},o:ops:{OPS},r:recording:{RECORDING}"
PICTURE = "ab" * 32
VIEW_OF_CAMERA = CameraView(camera_id="cam-1", state=CameraState.LIVE)


class FakeNode:
    """One room with one camera, or with those named."""

    def __init__(self, cameras: tuple[CameraId, ...] = ("cam-1",)) -> None:
        self._cameras = cameras

    def info(self) -> NodeInfo:
        return NodeInfo(
            node_id="edge-1", site_id="demo", version="1", areas=("room-1",), cameras=("cam-1",)
        )

    def areas(self) -> list[AreaInfo]:
        seen = RoomObservation(
            room_id="room-1", node_id="edge-1", boot_id="b", index=0, utc_ms=UtcMs(1)
        )
        return [AreaInfo(id="room-1", name=NAME, kind=AreaKind.EVALUATION, observation=seen)]

    def cameras(self) -> list[CameraInfo]:
        return [
            CameraInfo(
                id=camera_id,
                area="room-1",
                name=NAME,
                simulated=True,
                analyse_fps=5,
                view=VIEW_OF_CAMERA,
                viewers=0,
            )
            for camera_id in self._cameras
        ]

    def health(self) -> NodeHealth:
        return NodeHealth(node_id="edge-1", state=NodeState.RUNNING, utc_ms=UtcMs(1))

    def storage(self) -> StorageInfo:
        place = CopyPlaceInfo(name="mirror", failing_since_utc_ms=UtcMs(1), error="not mounted")
        return StorageInfo(disk_free_bytes=1, disk_total_bytes=2, days_left=3.5, places=(place,))

    def metrics(self) -> bytes:
        return b"zeroentry_up 1\n"


class FakePictures:
    """One picture."""

    def __init__(self) -> None:
        self.fetched: list[str] = []

    def read(self, sha256: str) -> bytes | None:
        return b"jpeg" if sha256 == PICTURE else None

    def mark_fetched(self, sha256: str) -> None:
        self.fetched.append(sha256)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
