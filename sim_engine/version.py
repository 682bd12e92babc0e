"""The version of the settlement engine, recorded with every simulation it runs."""

__version__ = "0.6.0"
