"""What each screen shows, and the handlers behind it."""
