"""Answers each operation from the device's state; elements in the order of the WSDL."""

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tests.fakes.onvif_device.soap import TDS, TR2, TRT, TT, invalid, not_supported
from tests.fakes.onvif_device.state import DeviceState, Encoder

Answer = Callable[[DeviceState, Any, str], str]
"""State, the request's element and the device's own host:port -> the response's element."""

MULTICAST = (
    "<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address>"
    "</tt:Address><tt:Port>0</tt:Port><tt:TTL>1</tt:TTL><tt:AutoStart>false</tt:AutoStart>"
    "</tt:Multicast>"
)
SCOPES = (
    ("Fixed", "onvif://www.onvif.org/Profile/Streaming"),
    ("Fixed", "onvif://www.onvif.org/Profile/T"),
    ("Fixed", "onvif://www.onvif.org/type/video_encoder"),
    ("Configurable", "onvif://www.onvif.org/name/{name}"),
    ("Configurable", "onvif://www.onvif.org/hardware/{name}"),
    ("Configurable", "onvif://www.onvif.org/location/room-1"),
)


def _moment(tag: str, at: Any) -> str:
    return (
        f"<tt:{tag}><tt:Time><tt:Hour>{at.hour}</tt:Hour><tt:Minute>{at.minute}</tt:Minute>"
        f"<tt:Second>{at.second}</tt:Second></tt:Time><tt:Date><tt:Year>{at.year}</tt:Year>"
        f"<tt:Month>{at.month}</tt:Month><tt:Day>{at.day}</tt:Day></tt:Date></tt:{tag}>"
    )


def system_date_and_time(state: DeviceState, _asked: Any, _host: str) -> str:
    kind = "NTP" if state.ntp_on else "Manual"
    utc = _moment("UTCDateTime", state.told()) if state.tells_utc else ""
    return (
        "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime>"
        f"<tt:DateTimeType>{kind}</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings>"
        f"<tt:TimeZone><tt:TZ>CST-8</tt:TZ></tt:TimeZone>{utc}"
        "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
    )


def set_system_date_and_time(state: DeviceState, asked: Any, _host: str) -> str:
    state.ntp_on = asked.findtext(f"{{{TDS}}}DateTimeType") == "NTP"
    return "<tds:SetSystemDateAndTimeResponse/>"


def device_information(state: DeviceState, _asked: Any, _host: str) -> str:
    return (
        "<tds:GetDeviceInformationResponse><tds:Manufacturer>Zero Entry</tds:Manufacturer>"
        f"<tds:Model>{escape(state.name)}</tds:Model>"
        "<tds:FirmwareVersion>1.2.3</tds:FirmwareVersion><tds:SerialNumber>SN0001</tds:SerialNumber>"
        "<tds:HardwareId>sim</tds:HardwareId></tds:GetDeviceInformationResponse>"
    )


def _service(namespace: str, address: str) -> str:
    return (
        f"<tds:Service><tds:Namespace>{namespace}</tds:Namespace><tds:XAddr>{address}</tds:XAddr>"
        "<tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version></tds:Service>"
    )


def services(state: DeviceState, _asked: Any, host: str) -> str:
    if not state.get_services:
        raise not_supported("GetServices")
    at = state.service_host or host
    offered = [
        _service(TDS, f"http://{at}/onvif/device_service"),
        _service(TRT, f"http://{at}/onvif/media_service"),
    ]
    if state.media2:
        offered.append(_service(TR2, f"http://{at}/onvif/media2_service"))
    return f"<tds:GetServicesResponse>{''.join(offered)}</tds:GetServicesResponse>"


def capabilities(state: DeviceState, _asked: Any, host: str) -> str:
    at = state.service_host or host
    return (
        "<tds:GetCapabilitiesResponse><tds:Capabilities>"
        f"<tt:Device><tt:XAddr>http://{at}/onvif/device_service</tt:XAddr></tt:Device>"
        f"<tt:Media><tt:XAddr>http://{at}/onvif/media_service</tt:XAddr>"
        "<tt:StreamingCapabilities><tt:RTPMulticast>false</tt:RTPMulticast>"
        "<tt:RTP_TCP>true</tt:RTP_TCP><tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP>"
        "</tt:StreamingCapabilities></tt:Media>"
        "</tds:Capabilities></tds:GetCapabilitiesResponse>"
    )


def scopes(state: DeviceState, _asked: Any, _host: str) -> str:
    items = "".join(
        f"<tds:Scopes><tt:ScopeDef>{kind}</tt:ScopeDef>"
        f"<tt:ScopeItem>{item.format(name=state.name)}</tt:ScopeItem></tds:Scopes>"
        for kind, item in SCOPES
    )
    return f"<tds:GetScopesResponse>{items}</tds:GetScopesResponse>"


def network_interfaces(_state: DeviceState, _asked: Any, _host: str) -> str:
    return (
        '<tds:GetNetworkInterfacesResponse><tds:NetworkInterfaces token="eth0">'
        "<tt:Enabled>true</tt:Enabled><tt:Info><tt:Name>eth0</tt:Name>"
        "<tt:HwAddress>02:00:00:00:00:01</tt:HwAddress><tt:MTU>1500</tt:MTU></tt:Info>"
        "</tds:NetworkInterfaces></tds:GetNetworkInterfacesResponse>"
    )


def ntp(state: DeviceState, _asked: Any, _host: str) -> str:
    servers = "".join(
        "<tt:NTPManual>"
        + (
            f"<tt:Type>IPv4</tt:Type><tt:IPv4Address>{server}</tt:IPv4Address>"
            if server.replace(".", "").isdigit()
            else f"<tt:Type>DNS</tt:Type><tt:DNSname>{server}</tt:DNSname>"
        )
        + "</tt:NTPManual>"
        for server in state.ntp
    )
    return (
        "<tds:GetNTPResponse><tds:NTPInformation><tt:FromDHCP>false</tt:FromDHCP>"
        f"{servers}</tds:NTPInformation></tds:GetNTPResponse>"
    )


def set_ntp(state: DeviceState, asked: Any, _host: str) -> str:
    found: list[str] = []
    for host in asked.findall(f"{{{TDS}}}NTPManual"):
        kind = host.findtext(f"{{{TT}}}Type")
        part = {"IPv4": "IPv4Address", "IPv6": "IPv6Address", "DNS": "DNSname"}[kind]
        address = host.findtext(f"{{{TT}}}{part}")
        if not address:
            raise invalid(f"ter:Invalid{kind}Address", "The address does not fit its type")
        found.append(address)
    state.ntp = tuple(found)
    return "<tds:SetNTPResponse/>"


def _encoder1(each: Encoder, tag: str) -> str:
    h264 = (
        f"<tt:H264><tt:GovLength>{each.gop}</tt:GovLength>"
        "<tt:H264Profile>Main</tt:H264Profile></tt:H264>"
        if each.encoding == "H264"
        else ""
    )
    # Media knows JPEG, MPEG4 and H264 only; a device set to H.265 says H264 to old clients.
    encoding = "JPEG" if each.encoding == "JPEG" else "H264"
    return (
        f'<{tag} token="{each.token}"><tt:Name>{each.name}</tt:Name><tt:UseCount>1</tt:UseCount>'
        f"<tt:Encoding>{encoding}</tt:Encoding><tt:Resolution><tt:Width>{each.width}</tt:Width>"
        f"<tt:Height>{each.height}</tt:Height></tt:Resolution><tt:Quality>4</tt:Quality>"
        f"<tt:RateControl><tt:FrameRateLimit>{round(each.fps)}</tt:FrameRateLimit>"
        "<tt:EncodingInterval>1</tt:EncodingInterval>"
        f"<tt:BitrateLimit>{each.kbps}</tt:BitrateLimit></tt:RateControl>{h264}{MULTICAST}"
        f"<tt:SessionTimeout>PT60S</tt:SessionTimeout></{tag}>"
    )


def _profile1(state: DeviceState, each: Encoder) -> str:
    sound = (
        '<tt:AudioEncoderConfiguration token="AEC_0"><tt:Name>sound</tt:Name>'
        f"<tt:UseCount>2</tt:UseCount><tt:Encoding>{state.sound.media1}</tt:Encoding>"
        f"<tt:Bitrate>64</tt:Bitrate><tt:SampleRate>16</tt:SampleRate>{MULTICAST}"
        "<tt:SessionTimeout>PT60S</tt:SessionTimeout></tt:AudioEncoderConfiguration>"
        if state.sound
        else ""
    )
    return (
        f'<trt:Profiles token={quoteattr(each.profile)} fixed="true"><tt:Name>{each.name}</tt:Name>'
        f"{_encoder1(each, 'tt:VideoEncoderConfiguration')}{sound}</trt:Profiles>"
    )


def profiles1(state: DeviceState, _asked: Any, _host: str) -> str:
    found = "".join(_profile1(state, each) for each in state.encoders)
    return f"<trt:GetProfilesResponse>{found}</trt:GetProfilesResponse>"


def _asked_profile(state: DeviceState, asked: Any, namespace: str) -> Encoder:
    found = state.of_profile(asked.findtext(f"{{{namespace}}}ProfileToken", ""))
    if found is None:
        raise invalid("ter:NoProfile", "The requested profile token does not exist")
    return found


def _stream(state: DeviceState, each: Encoder, host: str) -> str:
    at = state.stream_host or f"{host.rpartition(':')[0]}:{state.rtsp_port}"
    return f"rtsp://{at}{each.path}"


def stream_uri1(state: DeviceState, asked: Any, host: str) -> str:
    each = _asked_profile(state, asked, TRT)
    return (
        f"<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>{_stream(state, each, host)}</tt:Uri>"
        "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
        "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout>"
        "</trt:MediaUri></trt:GetStreamUriResponse>"
    )


def snapshot_uri1(state: DeviceState, asked: Any, host: str) -> str:
    if not state.snapshots:
        raise not_supported("GetSnapshotUri")
    each = _asked_profile(state, asked, TRT)
    at = state.service_host or host
    return (
        f"<trt:GetSnapshotUriResponse><trt:MediaUri><tt:Uri>http://{at}/snap{each.path}</tt:Uri>"
        "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
        "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout>"
        "</trt:MediaUri></trt:GetSnapshotUriResponse>"
    )


def _asked_encoder(state: DeviceState, token: str) -> Encoder:
    found = state.encoder(token)
    if found is None:
        raise invalid("ter:NoConfig", "The requested configuration does not exist")
    return found


def encoder1(state: DeviceState, asked: Any, _host: str) -> str:
    each = _asked_encoder(state, asked.findtext(f"{{{TRT}}}ConfigurationToken", ""))
    return (
        "<trt:GetVideoEncoderConfigurationResponse>"
        f"{_encoder1(each, 'trt:Configuration')}</trt:GetVideoEncoderConfigurationResponse>"
    )


def _set_size(each: Encoder, given: Any) -> None:
    size = given.find(f"{{{TT}}}Resolution")
    width, height = (int(size.findtext(f"{{{TT}}}{part}")) for part in ("Width", "Height"))
    if each.sizes and (width, height) not in each.sizes:
        raise invalid("ter:ConfigModify", "The configuration parameters cannot be set")
    each.width, each.height = width, height
    rate = given.find(f"{{{TT}}}RateControl")
    if rate is not None:
        each.fps = float(rate.findtext(f"{{{TT}}}FrameRateLimit"))


def set_encoder1(state: DeviceState, asked: Any, _host: str) -> str:
    given = asked.find(f"{{{TRT}}}Configuration")
    each = _asked_encoder(state, given.get("token"))
    _set_size(each, given)
    gop = given.findtext(f"{{{TT}}}H264/{{{TT}}}GovLength")
    if gop is not None:
        each.gop = int(gop)
    return "<trt:SetVideoEncoderConfigurationResponse/>"


def _encoder2(each: Encoder, tag: str) -> str:
    return (
        f'<{tag} token="{each.token}" GovLength="{each.gop}" Profile="Main">'
        f"<tt:Name>{each.name}</tt:Name><tt:UseCount>1</tt:UseCount>"
        f"<tt:Encoding>{each.encoding}</tt:Encoding><tt:Resolution>"
        f"<tt:Width>{each.width}</tt:Width><tt:Height>{each.height}</tt:Height></tt:Resolution>"
        f'<tt:RateControl ConstantBitRate="false"><tt:FrameRateLimit>{each.fps}'
        f"</tt:FrameRateLimit><tt:BitrateLimit>{each.kbps}</tt:BitrateLimit></tt:RateControl>"
        f"{MULTICAST}<tt:Quality>4</tt:Quality></{tag}>"
    )


def profiles2(state: DeviceState, asked: Any, _host: str) -> str:
    types = {each.text for each in asked.findall(f"{{{TR2}}}Type")}
    found: list[str] = []
    for each in state.encoders:
        parts = ""
        if types & {"All", "VideoEncoder"}:
            parts += _encoder2(each, "tr2:VideoEncoder")
        if state.sound and types & {"All", "AudioEncoder"}:
            parts += (
                '<tr2:AudioEncoder token="AEC_0"><tt:Name>sound</tt:Name>'
                f"<tt:UseCount>2</tt:UseCount><tt:Encoding>{state.sound.media2}</tt:Encoding>"
                "<tt:Bitrate>64</tt:Bitrate><tt:SampleRate>16</tt:SampleRate></tr2:AudioEncoder>"
            )
        found.append(
            f'<tr2:Profiles token={quoteattr(each.profile)} fixed="true">'
            f"<tr2:Name>{each.name}</tr2:Name>"
            + (f"<tr2:Configurations>{parts}</tr2:Configurations>" if parts else "")
            + "</tr2:Profiles>"
        )
    return f"<tr2:GetProfilesResponse>{''.join(found)}</tr2:GetProfilesResponse>"


def stream_uri2(state: DeviceState, asked: Any, host: str) -> str:
    known = {"RtspUnicast", "RtspMulticast", "RTSP", "RtspsUnicast", "RtspOverHttp"}
    if asked.findtext(f"{{{TR2}}}Protocol") not in known:
        raise invalid("ter:InvalidStreamSetup", "The protocol is not supported")
    each = _asked_profile(state, asked, TR2)
    uri = _stream(state, each, host)
    return f"<tr2:GetStreamUriResponse><tr2:Uri>{uri}</tr2:Uri></tr2:GetStreamUriResponse>"


def snapshot_uri2(state: DeviceState, asked: Any, host: str) -> str:
    if not state.snapshots:
        raise not_supported("GetSnapshotUri")
    each = _asked_profile(state, asked, TR2)
    uri = f"http://{state.service_host or host}/snap{each.path}"
    return f"<tr2:GetSnapshotUriResponse><tr2:Uri>{uri}</tr2:Uri></tr2:GetSnapshotUriResponse>"


def encoders2(state: DeviceState, asked: Any, _host: str) -> str:
    token = asked.findtext(f"{{{TR2}}}ConfigurationToken")
    found = state.encoders if token is None else [_asked_encoder(state, token)]
    inner = "".join(_encoder2(each, "tr2:Configurations") for each in found)
    name = "GetVideoEncoderConfigurationsResponse"
    return f"<tr2:{name}>{inner}</tr2:{name}>"


def set_encoder2(state: DeviceState, asked: Any, _host: str) -> str:
    given = asked.find(f"{{{TR2}}}Configuration")
    each = _asked_encoder(state, given.get("token"))
    _set_size(each, given)
    each.gop = int(given.get("GovLength", each.gop))
    return "<tr2:SetVideoEncoderConfigurationResponse/>"


OPEN_TO_ALL = {"GetSystemDateAndTime", "GetServices", "GetCapabilities"}
"""ONVIF Core, access class PRE_AUTH."""

ANSWERS: dict[tuple[str, str], Answer] = {
    (TDS, "GetSystemDateAndTime"): system_date_and_time,
    (TDS, "SetSystemDateAndTime"): set_system_date_and_time,
    (TDS, "GetDeviceInformation"): device_information,
    (TDS, "GetServices"): services,
    (TDS, "GetCapabilities"): capabilities,
    (TDS, "GetScopes"): scopes,
    (TDS, "GetNetworkInterfaces"): network_interfaces,
    (TDS, "GetNTP"): ntp,
    (TDS, "SetNTP"): set_ntp,
    (TRT, "GetProfiles"): profiles1,
    (TRT, "GetStreamUri"): stream_uri1,
    (TRT, "GetSnapshotUri"): snapshot_uri1,
    (TRT, "GetVideoEncoderConfiguration"): encoder1,
    (TRT, "SetVideoEncoderConfiguration"): set_encoder1,
    (TR2, "GetProfiles"): profiles2,
    (TR2, "GetStreamUri"): stream_uri2,
    (TR2, "GetSnapshotUri"): snapshot_uri2,
    (TR2, "GetVideoEncoderConfigurations"): encoders2,
    (TR2, "SetVideoEncoderConfiguration"): set_encoder2,
}
