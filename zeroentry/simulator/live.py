"""Drives a simulated world in real time behind MQTT."""
