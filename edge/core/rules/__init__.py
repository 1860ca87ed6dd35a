"""The rules of the catalogue: each judges one condition from what is known of a room."""
