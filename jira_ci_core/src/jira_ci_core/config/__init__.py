"""Settings: how they are declared, and where their values come from."""
