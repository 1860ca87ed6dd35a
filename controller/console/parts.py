"""Holds the parts of the pages: each is a Vue component in assets/, given plain values to draw."""

from pathlib import Path

from nicegui import ui

ASSETS = Path(__file__).parent / "assets"
_LIB = {"zeroentry-console": str(ASSETS / "lib")}


class Part(ui.element):
    """A drawn part. ``show`` sends only what differs from what the browser has."""

    def show(self, **values: object) -> None:
        """Draw these values; the others stay."""
        changed = {
            key: value
            for key, value in _plain(values).items()
            if key not in self._props
            or (self._props[key] is not value and self._props[key] != value)
        }
        if changed:
            with self._props.suspend_updates():
                self._props.update(changed)
            self.update()

    def keep(self, **values: object) -> None:
        """Know these values as shown: the browser has them already, or is told by a method."""
        with self._props.suspend_updates():
            self._props.update(_plain(values))


def _plain(values: dict[str, object]) -> dict[str, object]:
    """Values as NiceGUI leaves them alone.

    It wraps every list and dictionary within a list, to notice changes that we never make: for a
    wall of 64 rooms that was most of what the console did. A tuple it takes as it is.
    """
    return {key: tuple(row) if isinstance(row, list) else row for key, row in values.items()}


class LoginForm(Part, component=ASSETS / "ze_login.js", esm=_LIB):
    """Name and password."""


class Header(Part, component=ASSETS / "ze_header.js"):
    """Mark, navigation, link state, clock, sound, language, user."""


class Banner(Part, component=ASSETS / "ze_banner.js"):
    """Controller lost, loading, or a refused action."""


class DemoBar(Part, component=ASSETS / "ze_demo.js"):
    """The demonstration's story and cues."""


class Rooms(Part, component=ASSETS / "ze_rooms.js"):
    """Room tiles with live pictures."""


class Rail(Part, component=ASSETS / "ze_rail.js"):
    """Alerts as they come."""


class AlertCard(Part, component=ASSETS / "ze_alert.js"):
    """One alert with all that explains it, as a dialog or a page; handling stands in its slot."""


class Floor(Part, component=ASSETS / "ze_floor.js"):
    """The floor map with its robots."""


class Deliveries(Part, component=ASSETS / "ze_deliveries.js"):
    """Deliveries as progress lines."""


class Sessions(Part, component=ASSETS / "ze_sessions.js"):
    """Sessions with their next step."""


class Tablet(Part, component=ASSETS / "ze_tablet.js"):
    """Ordering a meal in a room."""


class DoorPanel(Part, component=ASSETS / "ze_door.js"):
    """The screen of a robot."""


class Kitchen(Part, component=ASSETS / "ze_kitchen.js"):
    """What to load."""


class ReportPage(Part, component=ASSETS / "ze_report.js"):
    """The witness report."""


class Conduct(Part, component=ASSETS / "ze_report_conduct.js", esm=_LIB):
    """Conduct by session, month and quarter."""


class Retrievals(Part, component=ASSETS / "ze_retrieval.js", esm=_LIB):
    """Retrievals: asked, decided, fetched."""


class Notice(Part, component=ASSETS / "ze_notice.js"):
    """One sentence and a way back."""
