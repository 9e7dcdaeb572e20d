"""One LightningDataModule per modality: its preprocessing and augmentation defaults, each with its source."""
