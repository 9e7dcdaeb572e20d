"""Which cases exist: sources, the checked manifest, splits."""
