"""A robot that runs ROS 2, faked, and the site that its bridge stands in."""
