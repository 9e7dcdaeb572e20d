"""Cross-validation: one child `fit` a fold, and what their out-of-fold results say together; no torch here."""
