"""oO: one tip at a time, at the right moment."""
