"""Texts of handling: key -> Chinese, English."""

from typing import Final

TABLE: Final[dict[str, tuple[str, str]]] = {}
