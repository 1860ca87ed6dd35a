"""The recorder, a process of its own: packets in, signed files out; and how to speak to it."""
