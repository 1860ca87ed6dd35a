"""The console's colours reach WCAG AA on every ground that they are used on."""

import pytest

from tests.browser.accessibility import SIGN_RATIO, STYLE, TEXT_RATIO, ratio, tokens

COLOURS = tokens(STYLE.read_text(encoding="utf-8"))
GROUNDS = ("ze-ink-0", "ze-ink-1", "ze-ink-2", "ze-ink-3")
TEXTS = ("ze-text", "ze-soft", "ze-accent", "ze-ok", "ze-alarm", "ze-warning", "ze-notice")


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", TEXTS)
def test_text_is_read_on_every_ground(text: str, ground: str) -> None:
    assert ratio(COLOURS[text], COLOURS[ground]) >= TEXT_RATIO


@pytest.mark.parametrize("ground", GROUNDS[:3])
def test_faint_text_is_still_text(ground: str) -> None:
    assert ratio(COLOURS["ze-faint"], COLOURS[ground]) >= TEXT_RATIO


@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("ze-accent-ink", "ze-accent"),
        ("ze-alarm-ink", "ze-alarm"),
        ("ze-text", "ze-accent-deep"),
        ("ze-text", "ze-alarm-deep"),
        ("ze-text", "ze-warning-deep"),
        ("ze-text", "ze-notice-deep"),
        ("ze-alarm", "ze-alarm-deep"),
        ("ze-warning", "ze-warning-deep"),
    ],
)
def test_ink_on_filled_grounds(ink: str, ground: str) -> None:
    assert ratio(COLOURS[ink], COLOURS[ground]) >= TEXT_RATIO


@pytest.mark.parametrize("ground", GROUNDS[:3])
def test_the_ring_around_the_focus_is_seen(ground: str) -> None:
    assert ratio(COLOURS["ze-accent"], COLOURS[ground]) >= SIGN_RATIO


def test_the_ratio_is_wcags() -> None:
    assert ratio("#000000", "#ffffff") == pytest.approx(21.0)
    assert ratio("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
