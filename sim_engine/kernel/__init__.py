"""The settlement engine, compiled: one entry point per day over plain arrays.

tests/oracle says the same in plain Python and is the definition; tests hold the two together bit for bit.
"""
