"""What `make bench` prints: figures, not pass or fail."""
