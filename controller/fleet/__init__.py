"""Speaks VDA 5050 with the robots: the standard's messages outside, the cores' values inside."""
