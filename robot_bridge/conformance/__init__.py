"""Checks any VDA 5050 vehicle over MQTT, rule by rule, and says what was expected and seen."""
