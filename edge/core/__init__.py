"""Pure rules of a watched room: no I/O and no clock."""
