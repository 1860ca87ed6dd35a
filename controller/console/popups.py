"""Says what NiceGUI shows by itself (connection lost) in the language of the page."""

import json

from controller.console.texts import Language, say

_NAMES = ("lost", "again", "long", "long_body")
"""In the order in which NiceGUI's page has them: two pop-ups of two lines."""


def script() -> str:
    """For the head of every page: the pop-ups' texts, anew whenever the language changes."""
    said = {
        language.value: [say(f"popup.{name}", language) for name in _NAMES] for language in Language
    }
    return f"""<script>(() => {{
  const said = {json.dumps(said)};
  const tell = () => {{
    const words = said[document.documentElement.lang] || said["{Language.EN.value}"];
    const lines = document.querySelectorAll(".nicegui-error-popup span");
    lines.forEach((one, n) => (one.textContent = words[n] || ""));
  }};
  new MutationObserver(tell).observe(document.documentElement, {{ attributeFilter: ["lang"] }});
  addEventListener("DOMContentLoaded", tell);
}})();</script>"""
