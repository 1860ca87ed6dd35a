"""What the claims of speed and memory stand on; each module is one command."""
