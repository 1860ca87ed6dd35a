"""Typed stand-ins for the world, shared by all tests."""
