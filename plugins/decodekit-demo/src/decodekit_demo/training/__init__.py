"""How the demo models were made: `python -m decodekit_demo.training` makes them again, from nothing.

Nothing here is imported when the models are merely loaded.
"""
