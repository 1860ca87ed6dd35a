"""Holds VDA 5050 2.0.0, 2.1.0 and 3.0.0, the language of robots and their master."""
