"""An ONVIF device of ours: true to the WSDL where it should be, and wrong where it is told to."""

from tests.fakes.onvif_device.discovery import DiscoveryResponder
from tests.fakes.onvif_device.server import FakeOnvifDevice
from tests.fakes.onvif_device.state import DeviceState, Encoder, Sound

__all__ = ["DeviceState", "DiscoveryResponder", "Encoder", "FakeOnvifDevice", "Sound"]
