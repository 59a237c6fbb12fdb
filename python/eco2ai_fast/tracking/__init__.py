"""What stands behind `eco2ai_fast.Tracker`: rows, files, tariffs and places, each in a file of its own."""
