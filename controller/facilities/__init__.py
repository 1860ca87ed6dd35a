"""Doors, lifts and the fire alarm as they are reached: relay boards over MQTT, HTTP gateways."""
