"""Makes files of a track's packets: when a segment begins and ends, and its bytes."""
