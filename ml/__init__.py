"""Pure maths of the recommender: arrays in, arrays out; no database, no clock, no settings."""
