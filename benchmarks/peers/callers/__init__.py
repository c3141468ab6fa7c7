"""Programs that call the peers from Python, in the peers' own environment. They import nothing of this project."""
