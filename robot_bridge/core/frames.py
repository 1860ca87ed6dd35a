"""Holds planar frames: poses as transforms, put one after another and turned round; m and rad."""

from dataclasses import dataclass
from math import atan2, cos, pi, sin


@dataclass(frozen=True, slots=True)
class Planar:
    """A pose on the floor, which is also the transform from its own frame to its parent's."""

    x_m: float = 0.0
    y_m: float = 0.0
    theta_rad: float = 0.0

    def then(self, inner: "Planar") -> "Planar":
        """``inner``, given in this frame, as seen from the parent."""
        turn_cos, turn_sin = cos(self.theta_rad), sin(self.theta_rad)
        return Planar(
            self.x_m + turn_cos * inner.x_m - turn_sin * inner.y_m,
            self.y_m + turn_sin * inner.x_m + turn_cos * inner.y_m,
            wrapped(self.theta_rad + inner.theta_rad),
        )

    @property
    def back(self) -> "Planar":
        """The transform that undoes this one."""
        turn_cos, turn_sin = cos(self.theta_rad), sin(self.theta_rad)
        return Planar(
            -turn_cos * self.x_m - turn_sin * self.y_m,
            turn_sin * self.x_m - turn_cos * self.y_m,
            wrapped(-self.theta_rad),
        )


def wrapped(angle: float) -> float:
    """The same angle between -pi and pi."""
    return (angle + pi) % (2 * pi) - pi


def heading(x: float, y: float, z: float, w: float) -> float:
    """How far a quaternion turns about the vertical."""
    return atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
