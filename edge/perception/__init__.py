"""Finds and follows people in pictures."""
