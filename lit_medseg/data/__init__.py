"""The base LightningDataModule: dataset, samplers, augmentation."""
