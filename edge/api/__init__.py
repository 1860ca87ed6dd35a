"""The edge node's HTTP API: rooms, cameras, pictures, live view, health."""
