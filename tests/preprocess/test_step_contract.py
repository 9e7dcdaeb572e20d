"""Every step that a YAML can name: applied, undone, written down; on pictures and on oblique volumes."""

import dataclasses
import importlib
import inspect
import json
import pkgutil

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import lit_medseg.preprocess
from lit_medseg.imaging.volume import Volume, flat_volume, placed_volume
from lit_medseg.preprocess.bright_foreground import BrightForeground
from lit_medseg.preprocess.canonical_orientation import CanonicalOrientation
from lit_medseg.preprocess.clahe import Clahe
from lit_medseg.preprocess.clip_percentiles import ClipPercentiles
from lit_medseg.preprocess.crop_foreground import CropForeground
from lit_medseg.preprocess.ct_intensity import CTIntensity
from lit_medseg.preprocess.eight_bit import EightBit
from lit_medseg.preprocess.histogram_match import HistogramMatch
from lit_medseg.preprocess.hu_window import HUWindow
from lit_medseg.preprocess.median_filter import MedianFilter
from lit_medseg.preprocess.n4_bias_field import N4BiasField
from lit_medseg.preprocess.non_local_means import NonLocalMeans
from lit_medseg.preprocess.onto_channel import OntoChannel
from lit_medseg.preprocess.pad import PadTo, PadToMultiple
from lit_medseg.preprocess.percentile_rescale import PercentileRescale
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.plain import step_from_plain, step_to_plain
from lit_medseg.preprocess.remap_labels import RemapLabels
from lit_medseg.preprocess.resample_to import ResampleTo
from lit_medseg.preprocess.resize import Resize, ResizeWithin
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.step import FittedStep, Step
from lit_medseg.preprocess.to_gray import ToGray
from lit_medseg.preprocess.to_rgb import ToRGB

ANY = [
    BrightForeground(),
    CanonicalOrientation(),
    CanonicalOrientation("ARI"),
    Clahe(tiles=2),
    ClipPercentiles(2, 90, "foreground"),
    CropForeground(),
    CropForeground(20, margin_mm=0.4),
    CropForeground("otsu"),
    CTIntensity(),
    CTIntensity(10.0, 200.0, channels=("t2",)),
    EightBit(),
    HUWindow(20, 200),
    HistogramMatch(),
    MedianFilter(),
    N4BiasField(2, (3, 3)),
    NonLocalMeans(1),
    OntoChannel("t2"),
    PadToMultiple(16),
    PadToMultiple(7, value=3.0),
    PercentileRescale(),
    RemapLabels({2: 1, 1: 2}),
    Standardize(),
    ToGray(),
    ToRGB(),
    ZSCORE := lit_medseg.preprocess,
]
