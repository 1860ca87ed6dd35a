"""Talks with the edge nodes: takes their messages, sends them commands, fetches their pictures."""
