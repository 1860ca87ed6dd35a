"""Simulated camera footage with real people's pixels, on a script with known truth."""
