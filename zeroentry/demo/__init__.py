"""The demo: one whole site on this machine, with simulated cameras and robots, playing a day."""
