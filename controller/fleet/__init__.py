"""Speaks VDA 5050 with the robots: the standard's messages on one side, the cores' values on the other."""
