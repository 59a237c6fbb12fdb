"""One file per tool: what it takes to start it, to stop it and to ask it for joules."""
