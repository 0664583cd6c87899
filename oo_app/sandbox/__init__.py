"""Development's stand-ins: sign-in, a Todoist, a calendar that speak the real protocols on this machine only."""

from oo_app.sandbox.app import SandboxOptions, build
from oo_app.sandbox.state_file import apple_private_key

__all__ = ["SandboxOptions", "apple_private_key", "build"]
