"""Losses that take logits and codes in any of the three codings of `lit_medseg.target`."""
