"""Hyper-parameter search: a study, its trials as child processes, and what they found."""
