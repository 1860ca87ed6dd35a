"""Checks of a page that need no eyes: names, roles, labels, order of focus, contrast of colours."""

import re
from pathlib import Path
from typing import Final

from playwright.async_api import Page

STYLE: Final = Path("controller/console/assets/console.css")
TEXT_RATIO: Final = 4.5  # WCAG 2.2 AA, 1.4.3
SIGN_RATIO: Final = 3.0  # 1.4.11: borders and signs that carry meaning

COMPLAINTS: Final = Path(__file__).with_name("complaints.js")

FOCUS: Final = """() => {
  const at = document.activeElement;
  const tile = at.closest(".ze-tile");
  const ring = [at, tile].some((one) => {
    const style = one && getComputedStyle(one);
    return style && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  });
  return { tag: at.tagName, ring, what: at.outerHTML.slice(0, 120) };
}"""


async def complaints(page: Page) -> list[str]:
    """What a screen reader or a keyboard user would stumble over on the page as it is now."""
    found: list[str] = await page.evaluate(COMPLAINTS.read_text(encoding="utf-8"))
    return found


async def focus_walk(page: Page, steps: int) -> list[dict[str, object]]:
    """Where the focus goes on ``steps`` presses of Tab from the top of the page."""
    walked = []
    await page.evaluate("document.activeElement?.blur()")
    for _ in range(steps):
        await page.keyboard.press("Tab")
        walked.append(await page.evaluate(FOCUS))
    return walked


def tokens(css: str) -> dict[str, str]:
    """The colours of the design, by name without dashes in front."""
    root = css.split(":root", 1)[1].split("}", 1)[0]
    return dict(re.findall(r"--(ze-[a-z0-9-]+):\s*(#[0-9a-fA-F]{6})", root))


def ratio(one: str, other: str) -> float:
    """WCAG's contrast ratio of two ``#rrggbb`` colours, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
