"""The two LightningModules and what they optimise with."""
