"""A machine whose energy counters follow a known power, as a program finds it in /sys."""
