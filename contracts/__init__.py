"""What the machines of a site say to each other: types, topics, codecs; no I/O and no clock."""
