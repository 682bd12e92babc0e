"""How fast the engine is, and against what: workloads, the harness of `make bench`, and a comparison with PSSimPy."""
