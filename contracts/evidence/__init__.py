"""What makes a recording evidence: manifest entries, their chain, and the controller's witness."""
