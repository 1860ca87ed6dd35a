"""Holds the versions of VDA 5050 that are spoken: their names, topics, and what each calls things.

Our types have the shape of 2.1.0. 2.0.0 lacks a few fields; 3.0.0 names many things anew. Only the
codec reads these tables: whoever uses the types need not know the version.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Self

from contracts.vda5050.topics import VehicleAddress


class VdaVersion(StrEnum):
    """A version that is spoken in full."""

    V2_0 = "2.0.0"
    V2_1 = "2.1.0"
    V3_0 = "3.0.0"

    @property
    def level(self) -> str:
        """The topic level of the major version."""
        return f"v{self.value[0]}"

    @property
    def prefix(self) -> str:
        """The interface's name in topics, where a site does not choose another."""
        return "vda5050" if self is VdaVersion.V3_0 else "uagv"

    @classmethod
    def of(cls, said: str | None) -> Self | None:
        """The version to read a message with; None for a major that is not spoken.

        Minor versions that we do not know are read like the newest known one of their major: the
        standard lets receivers ignore fields that they do not know.
        """
        if said is None or said == "2.1.0":
            return cls("2.1.0")
        major, _, rest = said.partition(".")
        if major == "2":
            return cls("2.0.0" if rest.split(".")[0] == "0" else "2.1.0")
        return cls("3.0.0") if major == "3" else None


def vehicle_address(
    version: VdaVersion, manufacturer: str, serial: str, *, prefix: str | None = None
) -> VehicleAddress:
    """Where a robot of this version is on the bus.

    Raises:
        ValueError: a name cannot be a level of a topic.
    """
    return VehicleAddress(prefix or version.prefix, version.level, manufacturer, serial)


ZONE_SET: Final = "zoneSet"
RESPONSES: Final = "responses"
V3_ONLY: Final = (ZONE_SET, RESPONSES)
"""Topics that only 3.0 has, both from the master. Our robots declare no zones and ask nothing."""

CAUSE: Final = "cause"
"""The reference key under which our types keep 3.0's name of an error; 2.x peers may show it."""

TEXTS: Final[Mapping[str, str]] = {
    "nodeDescription": "nodeDescriptor",
    "edgeDescription": "edgeDescriptor",
    "actionDescription": "actionDescriptor",
    "mapDescription": "mapDescriptor",
    "infoDescription": "infoDescriptor",
    "resultDescription": "actionResult",
}

ORDER_NAMES: Final[Mapping[str, str]] = {
    **TEXTS,
    "maxSpeed": "maximumSpeed",
    "maxHeight": "maximumMobileRobotHeight",
    "minHeight": "minimumLoadHandlingDeviceHeight",
    "maxRotationSpeed": "maximumRotationSpeed",
    "corridorRefPoint": "corridorReferencePoint",
}

STATE_NAMES: Final[Mapping[str, str]] = {
    **TEXTS,
    "agvPosition": "mobileRobotPosition",
    "positionInitialized": "localized",
    "batteryState": "powerSupply",
    "batteryCharge": "stateOfCharge",
    "reach": "range",
    "eStop": "activeEmergencyStop",
}

FIELD_NAMES: Final[Mapping[str, str]] = {
    **STATE_NAMES,
    **ORDER_NAMES,
    "rotationAllowed": "reachOrientationBeforeEntering",
}
"""Parts of the paths by which a factsheet declares its optional parameters."""

FACTSHEET_NAMES: Final[Mapping[str, str]] = {
    "agvKinematic": "mobileRobotKinematics",
    "agvClass": "mobileRobotClass",
    "maxLoadMass": "maximumLoadMass",
    "speedMin": "minimumSpeed",
    "speedMax": "maximumSpeed",
    "accelerationMax": "maximumAcceleration",
    "decelerationMax": "maximumDeceleration",
    "heightMin": "minimumHeight",
    "heightMax": "maximumHeight",
    "maxStringLens": "maximumStringLengths",
    "msgLen": "maximumMessageLength",
    "topicSerialLen": "maximumTopicSerialLength",
    "topicElemLen": "maximumTopicElementLength",
    "idLen": "maximumIdLength",
    "loadIdLen": "maximumLoadIdLength",
    "maxArrayLens": "maximumArrayLengths",
    "minOrderInterval": "minimumOrderInterval",
    "minStateInterval": "minimumStateInterval",
    "agvActions": "mobileRobotActions",
    "resultDescription": "actionResult",
    "agvGeometry": "mobileRobotGeometry",
    "vehicleConfig": "mobileRobotConfiguration",
}

LOAD_SET_NAMES: Final[Mapping[str, str]] = {
    "maxWeight": "maximumWeight",
    "minLoadhandlingHeight": "minimumLoadhandlingHeight",
    "maxLoadhandlingHeight": "maximumLoadhandlingHeight",
    "minLoadhandlingDepth": "minimumLoadhandlingDepth",
    "maxLoadhandlingDepth": "maximumLoadhandlingDepth",
    "minLoadhandlingTilt": "minimumLoadhandlingTilt",
    "maxLoadhandlingTilt": "maximumLoadhandlingTilt",
    "agvSpeedLimit": "maximumSpeed",
    "agvAccelerationLimit": "maximumAcceleration",
    "agvDecelerationLimit": "maximumDeceleration",
}

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "connectionState": {"CONNECTIONBROKEN": "CONNECTION_BROKEN"},
    "operatingMode": {"TEACHIN": "TEACH_IN"},
    "eStop": {"AUTOACK": "MANUAL"},
    "corridorRefPoint": {"KINEMATICCENTER": "KINEMATIC_CENTER"},
    "agvKinematic": {
        "DIFF": "DIFFERENTIAL",
        "OMNI": "OMNIDIRECTIONAL",
        "THREEWHEEL": "THREE_WHEEL",
    },
    "navigationTypes": {"AUTONOMOUS": "FREELY_NAVIGATING"},
    "valueDataType": {"FLOAT": "NUMBER"},
    "actionType": {"initPosition": "initializePosition"},
}
"""Values by the field of 2.1.0 that holds them: the word of 2.1.0 and that of 3.0.

3.0 has no AUTOACK and no FLOAT; what is read from 3.0 stays MANUAL and NUMBER.
"""

ONE_WAY: Final = frozenset({("eStop", "MANUAL"), ("valueDataType", "NUMBER")})

CAUSES: Final[Mapping[str, str]] = {
    "UNSUPPORTED_PARAMETER": "orderError",
    "NO_ORDER_TO_CANCEL": "noOrderToCancel",
    "VALIDATION_FAILURE": "validationError",
    "INVALID_ORDER": "orderError",
    "INVALID_ORDER_ACTION": "orderError",
    "INVALID_INSTANT_ACTION": "instantActionError",
    "OUTDATED_ORDER_UPDATE": "orderUpdateError",
    "SAME_ORDER_UPDATE_ID": "orderUpdateError",
    "ORDER_UPDATE_FOLLOWING_CANCEL": "orderUpdateError",
    "INSUFFICIENT_MEMORY": "orderError",
    "NODE_UNREACHABLE": "driveFailed",
    "LOCALIZATION_ERROR": "localizationLost",
    "NO_ROUTE_TO_TARGET": "noRouteError",
    "OTHER_ORDER_ACTIVE": "orderUpdateError",
    "START_NODE_OUT_OF_RANGE": "noRouteError",
    "UNKNOWN_MAP_ID": "noRouteError",
    "MOBILE_ROBOT_NOT_AVAILABLE": "orderError",
}
"""3.0's names of errors, and the types under which 2.x (and our types) report the same.

The name of 3.0 is kept beside the type as a reference (``CAUSE``), so nothing is lost on the way.
"""

TYPES: Final[Mapping[str, str]] = {
    "noOrderToCancel": "NO_ORDER_TO_CANCEL",
    "validationError": "VALIDATION_FAILURE",
    "instantActionError": "INVALID_INSTANT_ACTION",
    "localizationLost": "LOCALIZATION_ERROR",
    "driveFailed": "NODE_UNREACHABLE",
    "noRouteError": "NO_ROUTE_TO_TARGET",
}
"""What to call an error of 2.x in 3.0 when it names no cause."""

LEVELS: Final[Mapping[str, str]] = {
    "UNSUPPORTED_PARAMETER": "CRITICAL",
    "INSUFFICIENT_MEMORY": "URGENT",
    "NODE_UNREACHABLE": "CRITICAL",
    "LOCALIZATION_ERROR": "FATAL",
}
"""3.0 sets the level of its errors; all others are WARNING."""
