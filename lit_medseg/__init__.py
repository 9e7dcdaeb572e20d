"""lit_medseg: experiments in medical image segmentation and classification, trained, evaluated and recorded exactly."""
