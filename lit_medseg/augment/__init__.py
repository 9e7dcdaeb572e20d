"""Augmentation of volumes and pictures in plain torch, on workers or on the device."""
