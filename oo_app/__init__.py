"""oO: one well-chosen tip at the right moment."""
