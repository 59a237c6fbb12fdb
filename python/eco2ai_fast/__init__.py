"""An energy stopwatch for machine learning."""
