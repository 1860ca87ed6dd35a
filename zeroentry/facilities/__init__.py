"""A simulated relay board with doors, lifts and a fire alarm, true to ESPHome's topics."""
