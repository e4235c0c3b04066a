"""Stand-ins for what cannot run here, on the real wire."""
