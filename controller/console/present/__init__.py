"""Turns what is known of the house into what a page draws: plain values in one language. Pure."""
