"""The robot map, doors, lifts and the fire alarm."""

from client.base import Asking
from contracts.api.facilities import FacilitiesView, FireReleaseBody, FireView, MapView


class FacilityCalls(Asking):
    """The robot map, doors, lifts and the fire alarm."""

    async def robot_map(self) -> MapView:
        """Floors, nodes, ways, zones, doors and lifts; it stays while the controller runs."""
        return await self.ask(MapView, "GET", "/map")

    async def facilities(self) -> FacilitiesView:
        """Doors, lifts and the fire alarm now."""
        return await self.ask(FacilitiesView, "GET", "/facilities")

    async def release_fire(self, reason: str) -> FireView:
        """Let robots drive again after a fire alarm."""
        return await self.ask(FireView, "POST", "/fire/release", FireReleaseBody(reason=reason))
