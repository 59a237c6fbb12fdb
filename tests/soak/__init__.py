"""What a long life leaves behind: cycles that should leave nothing, and a random user who goes on and on."""
