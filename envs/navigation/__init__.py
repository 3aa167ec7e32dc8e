"""The navigation tasks: a robot, objects and a task on planar physics."""
