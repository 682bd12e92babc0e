"""From run files to raw tables under contract, marts and a warehouse: everything around the engine."""
