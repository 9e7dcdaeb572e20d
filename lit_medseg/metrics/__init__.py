"""Exact per-case scores, their aggregates and bootstrap intervals."""
