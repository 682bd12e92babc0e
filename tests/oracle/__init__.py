"""The plain-Python engine: the definition of what settles, which the compiled kernel is held against bit for bit."""
