"""From a network to predictions on the native grid and files."""
