"""A small neural-network engine for studying initialisation."""
