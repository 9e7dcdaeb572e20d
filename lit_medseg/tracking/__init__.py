"""The run folder, its record queue, and MLflow."""
