"""Typed entries to network libraries, and the fit of a network to the data."""
