"""oO: one well-chosen tip at the right moment."""

import warnings

from authlib.deprecate import AuthlibDeprecationWarning

# Authlib switches its own warnings on at import, also for people who run oO and can do nothing about them.
warnings.filterwarnings("ignore", "The httpx module is deprecated", AuthlibDeprecationWarning)
