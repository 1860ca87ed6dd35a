"""Writes docs/reference/ from the code, so that the pages cannot say what the code does not do."""
