"""The stages with state, one file each; engine.py holds their order."""
