"""What this project costs and how far it is off, beside every rival, on the same work in the same run."""
