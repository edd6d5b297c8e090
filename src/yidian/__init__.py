"""医典 Yidian: a practical medical encyclopedia that an institution can run for itself."""

__version__ = "0.1.0.dev0"
