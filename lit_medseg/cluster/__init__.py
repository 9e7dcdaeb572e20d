"""Processes of one run: ranks, signals, failures."""
