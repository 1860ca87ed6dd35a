"""Settings tell every mistake at once, with its place and what is allowed."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from contracts.envelope import Strict
from runtime.settings import CredentialFreeUrl, SettingsError, load, parse_yaml_strict


class Level(StrEnum):
    LOW = "low"
    HIGH = "high"


class Camera(Strict):
    id: str = Field(pattern=r"^[a-z0-9-]+$")
    url: CredentialFreeUrl = "rtsp://127.0.0.1/1"
    fps: float = Field(default=5, gt=0, le=30)


class Lamp(Strict):
    kind: Literal["lamp"]
    watts: int = 5


class Bell(Strict):
    kind: Literal["bell"]
    level: Level = Level.LOW


class Mqtt(Strict):
    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65_535)


class Site(Strict):
    name: str
    level: Level = Level.LOW
    mqtt: Mqtt = Mqtt()
    cameras: list[Camera] = Field(default_factory=list, max_length=3)
    signals: tuple[Annotated[Lamp | Bell, Field(discriminator="kind")], ...] = ()
    rooms: dict[str, Camera] = Field(default_factory=dict)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(
    tmp_path: Path,
    text: str,
    environ: dict[str, str] | None = None,
    overrides: dict[str, object] | None = None,
) -> list[str]:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as refused:
        load(Site, file=path, environ=environ or {}, overrides=overrides or {})
    return [str(row).replace(str(tmp_path) + "/", "") for row in refused.value.problems]


FIVE_MISTAKES = """\
name: north
levle: high
mqtt:
  hots: 10.0.0.1
  port: 99999
cameras:
  - id: cam-1
    url: rtsp://admin:hunter2@10.0.0.7/1
  - id: cam-2
    fps: fast
"""


def test_five_mistakes_make_five_errors(tmp_path: Path) -> None:
    found = problems(tmp_path, FIVE_MISTAKES)
    assert found == [
        (
            "site.yaml:5: mqtt.port: Input should be less than or equal to 65535, not '99999' "
            "(allowed: <= 65535)"
        ),
        "site.yaml:4: mqtt.hots: unknown key; did you mean 'host'? (allowed: host, port)",
        (
            "site.yaml:8: cameras[0].url: the URL contains a password; write the URL without it "
            "and store the password encrypted: zeroentry credential set NAME"
        ),
        (
            "site.yaml:10: cameras[1].fps: Input should be a valid number, unable to parse string "
            "as a number, not 'fast'"
        ),
        (
            "site.yaml:2: levle: unknown key; did you mean 'level'? "
            "(allowed: cameras, level, mqtt, name, rooms, signals)"
        ),
    ]


def test_the_error_text_lists_all_and_shows_no_password(tmp_path: Path) -> None:
    path = written(tmp_path, FIVE_MISTAKES)
    with pytest.raises(SettingsError, match="5 mistakes in the settings") as refused:
        load(Site, file=path, environ={}, overrides={})
    assert "hunter2" not in str(refused.value)
    assert str(refused.value).count("site.yaml:") == 5


def test_later_sources_win(tmp_path: Path) -> None:
    site = load(
        Site,
        file=written(tmp_path, "name: north\nmqtt: {host: a, port: 1}\n"),
        environ={
            "ZEROENTRY_MQTT__HOST": "b",
            "ZEROENTRY_MQTT__PORT": "2",
            "ZEROENTRY_CAMERAS": "[{id: cam-9}]",
            "ZEROENTRY_RUN_KEY": "00",
            "PATH": "/bin",
        },
        overrides={"mqtt.port": 3, "level": None},
    )
    assert (site.mqtt.host, site.mqtt.port, site.cameras[0].id) == ("b", 3, "cam-9")


def test_a_mistake_names_the_source_it_came_from(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "name: north\n",
        {"ZEROENTRY_MQTT__PORT": "x", "ZEROENTRY_MQQT__HOST": "a", "ZEROENTRY_LEVEL": "loud"},
        {"mqtt.host": 7},
    )
    assert [row.split(": ")[0] for row in found] == [
        "environment ZEROENTRY_MQQT__HOST",
        "environment ZEROENTRY_LEVEL",
        "option mqtt.host",
        "environment ZEROENTRY_MQTT__PORT",
    ]
    assert "did you mean 'mqtt'" in found[0]
    assert "'low' or 'high'" in found[1]


def test_a_member_of_a_tagged_union_is_found_in_the_file(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "name: n\nsignals:\n  - kind: lamp\n    wats: 3\n  - kind: horn\n  - kind: bell\n"
        "    level: medium\n",
    )
    assert found[0] == (
        "site.yaml:4: signals[0].wats: unknown key; did you mean 'watts'? (allowed: kind, watts)"
    )
    assert found[1].startswith("site.yaml:5: signals[1]: ")
    assert "'lamp', 'bell'" in found[1]
    assert found[2].startswith("site.yaml:7: signals[2].level: ")


def test_a_key_of_a_mapping_is_followed(tmp_path: Path) -> None:
    found = problems(tmp_path, "name: n\nrooms:\n  east:\n    id: cam-1\n    fsp: 3\n")
    assert found == [
        "site.yaml:5: rooms.east.fsp: unknown key; did you mean 'fps'? (allowed: fps, id, url)"
    ]


def test_what_is_missing_is_named_at_its_parent(tmp_path: Path) -> None:
    assert problems(tmp_path, "level: low\ncameras:\n  - fps: 3\n") == [
        "site.yaml:1: name: is missing (allowed: must be given)",
        "site.yaml:3: cameras[0].id: is missing (allowed: must be given)",
    ]


def test_duplicate_keys_aliases_and_tags_are_refused_together(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "name: a\nname: b\nmqtt: &m {host: a}\nrooms: {x: *m}\nlevel: !!python/name:os.system ''\n",
    )
    assert [row.split(": ", 1)[1] for row in found] == [
        "name: is there twice; the first is on line 1",
        "rooms.x: refers to another part by an alias; write it out",
        "level: has the tag 'tag:yaml.org,2002:python/name:os.system'; tags are not understood",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\nb: 3\n", "site.yaml:2: is not YAML"),
        ("- 1\n", "site.yaml:1: must hold keys and values at its top"),
        ("a: 1\n---\nb: 2\n", "site.yaml:2: is not YAML"),
        ("a" * 1_100_000, "site.yaml: larger than 1048576 bytes"),
    ],
)
def test_what_is_no_settings_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert problems(tmp_path, text)[0].startswith(message)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml: cannot be read: No such file"):
        load(Site, file=tmp_path / "none.yaml", environ={}, overrides={})


def test_times_and_dates_stay_text(tmp_path: Path) -> None:
    parsed = parse_yaml_strict(written(tmp_path, "a: 12:30\nb: 2026-13-01\nc: 5\nd: no\n"))
    assert parsed.value == {"a": "12:30", "b": "2026-13-01", "c": 5, "d": False}


def test_a_value_that_is_not_what_its_tag_says_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, "name: !!int x\n")[0].startswith("site.yaml:1: name: is not what")


def test_lines_of_keys_and_items_are_kept(tmp_path: Path) -> None:
    parsed = parse_yaml_strict(written(tmp_path, "a:\n  - 1\n  - b: 2\n"))
    assert parsed.lines[("a", 1, "b")] == 3
    assert parsed.place(("a", 7)).endswith("site.yaml:1")


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://admin:hunter2@10.0.0.7/1",
        "rtsp://:hunter2@10.0.0.7/1",
        "http://10.0.0.7/snap?user=a&password=hunter2",
        "http://10.0.0.7/snap?api_key=hunter2",
    ],
)
def test_a_url_with_a_password_is_refused_without_repeating_it(tmp_path: Path, url: str) -> None:
    found = problems(tmp_path, f"name: n\ncameras: [{{id: c, url: '{url}'}}]\n")
    assert len(found) == 1
    assert "zeroentry credential set" in found[0]
    assert "hunter2" not in found[0]


def test_a_url_with_a_user_alone_is_allowed(tmp_path: Path) -> None:
    path = written(tmp_path, "name: n\ncameras: [{id: c, url: 'rtsp://viewer@10.0.0.7:554/1'}]\n")
    assert load(Site, file=path, environ={}, overrides={}).cameras[0].url.startswith("rtsp://v")
