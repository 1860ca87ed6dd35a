"""What the controller's public API takes and gives: the only way in for console, tablets.

Times are UTC milliseconds; lengths are metres in the robot map's frame; texts that people read come
in both languages. Errors are ``application/problem+json`` (RFC 9457), see ``Problem``.
"""

from contracts.api.accounts import LoginBody, LoginGiven, Role, User
from contracts.api.alerts import AlertPage, AlertView, Disposition, Handling, ResolveBody
from contracts.api.base import BASE, PAGE_MAX, Problem, Sentence
from contracts.api.deliveries import (
    PIN_DIGITS,
    PIN_TRIES_MAX,
    Approval,
    ArrivalWindow,
    CancelBody,
    CustodyEvent,
    DeliveryBody,
    DeliveryGiven,
    DeliveryKind,
    DeliveryState,
    DeliveryView,
    Dish,
    Leg,
    LoadedBody,
    OrderLine,
    UnlockBody,
    ZonePassage,
    ZoneVerdict,
)
from contracts.api.floor import (
    CompartmentView,
    MapEdgeView,
    MapNodeView,
    Pose,
    RobotCondition,
    RobotView,
    ZoneView,
)
from contracts.api.media import ClipLink, MediaLink, PageLink, SoundLink
from contracts.api.report import HeadSeen, ReportAlert, ReportGap, ReportTrack, WitnessReport
from contracts.api.rooms import CameraStatus, RoomView, TrackKind, TrackView
from contracts.api.service import ControllerHealth, EventName, Overview, SiteView
from contracts.api.sessions import SessionBody, SessionState, SessionView

__all__ = [
    "BASE",
    "PAGE_MAX",
    "PIN_DIGITS",
    "PIN_TRIES_MAX",
    "AlertPage",
    "AlertView",
    "Approval",
    "ArrivalWindow",
    "CameraStatus",
    "CancelBody",
    "ClipLink",
    "CompartmentView",
    "ControllerHealth",
    "CustodyEvent",
    "DeliveryBody",
    "DeliveryGiven",
    "DeliveryKind",
    "DeliveryState",
    "DeliveryView",
    "Dish",
    "Disposition",
    "EventName",
    "Handling",
    "HeadSeen",
    "Leg",
    "LoadedBody",
    "LoginBody",
    "LoginGiven",
    "MapEdgeView",
    "MapNodeView",
    "MediaLink",
    "OrderLine",
    "Overview",
    "PageLink",
    "Pose",
    "Problem",
    "ReportAlert",
    "ReportGap",
    "ReportTrack",
    "ResolveBody",
    "RobotCondition",
    "RobotView",
    "Role",
    "RoomView",
    "Sentence",
    "SessionBody",
    "SessionState",
    "SessionView",
    "SiteView",
    "SoundLink",
    "TrackKind",
    "TrackView",
    "UnlockBody",
    "User",
    "WitnessReport",
    "ZonePassage",
    "ZoneVerdict",
    "ZoneView",
]
