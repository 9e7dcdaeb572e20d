"""The two worlds of medical images."""

import numpy as np

# DICOM and ITK count x to the patient's left and y to the back; NIfTI and this package to the right and the front.
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
