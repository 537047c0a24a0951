"""For instructors: release the assignments and grade what comes back (not part of the engine)."""
