"""A machine whose energy counters follow a known power; README.md tells how to use it."""
