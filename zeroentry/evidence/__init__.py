"""Lets anybody judge recordings offline: whole, in order, unaltered, complete; and list them."""
