"""Technique without domain: knows nothing of oO's words."""
