"""Changes to predicted masks: connected components, holes, morphology; chosen on validation cases."""
