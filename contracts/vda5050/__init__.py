"""Holds VDA 5050 2.1.0, the language of robots and their master, as types, topics and a codec."""
