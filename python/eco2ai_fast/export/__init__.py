"""Forms that others ask for: records in, text out, with what no tracker can know left open by its name."""
