"""The controller's public API: the only way in for console, tablet and scripts."""
