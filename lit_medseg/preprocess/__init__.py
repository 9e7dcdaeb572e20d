"""Steps with apply and invert, the pipeline they form, and its cache."""
