"""Which input a name means, and what it says when it means none."""

import pytest

from edge.capture.pickup_devices import InputDevice, Loss, PickupLost, choose


def device(
    index: int, name: str, host_api: str = "ALSA", *, preferred: bool = False
) -> InputDevice:
    return InputDevice(index, name, host_api, 48_000, 2, preferred)


DEVICES = (
    device(0, "HDA Intel PCH: ALC257 Analog (hw:0,0)"),
    device(1, "USB Audio Device: - (hw:1,0)"),
    device(2, "sysdefault"),
    device(3, "default", preferred=True),
    device(4, "USB Audio Device: - (hw:1,0)", "JACK Audio Connection Kit"),
)


@pytest.mark.parametrize(
    ("wanted", "host_api", "index"),
    [
        ("HDA Intel PCH: ALC257 Analog (hw:0,0)", None, 0),
        ("alc257", None, 0),
        ("USB Audio Device", "alsa", 1),
        ("USB Audio Device", "JACK Audio Connection Kit", 4),
        ("sysdefault", None, 2),
        ("default", None, 3),
    ],
)
def test_a_name_or_a_part_that_one_alone_has_is_enough(
    wanted: str, host_api: str | None, index: int
) -> None:
    assert choose(DEVICES, wanted, host_api).index == index


@pytest.mark.parametrize(
    ("wanted", "host_api", "loss", "says"),
    [
        ("USB", None, Loss.AMBIGUOUS, "'USB Audio Device: - (hw:1,0)' (ALSA)"),
        ("Roof", None, Loss.MISSING, "no input is called 'Roof'; there are 'HDA Intel"),
        ("sysdefault", "OSS", Loss.MISSING, "no input of host_api 'OSS' is called 'sysdefault'"),
    ],
)
def test_what_fits_none_or_several_lists_what_is_there(
    wanted: str, host_api: str | None, loss: Loss, says: str
) -> None:
    with pytest.raises(PickupLost) as caught:
        choose(DEVICES, wanted, host_api)
    assert caught.value.loss is loss
    assert says in caught.value.detail


def test_the_default_is_taken_only_where_it_is_written() -> None:
    with pytest.raises(PickupLost, match="no inputs at all"):
        choose((), "default", None)
    with pytest.raises(PickupLost, match="no input is called 'USB'"):
        choose(DEVICES[2:4], "USB", None)


def test_a_long_list_is_cut() -> None:
    many = [device(index, f"input {index}") for index in range(30)]
    with pytest.raises(PickupLost, match="and 18 more"):
        choose(many, "x", None)
