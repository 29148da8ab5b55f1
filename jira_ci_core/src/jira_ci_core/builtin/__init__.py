"""The plugins that ship with core, on public names alone; `plugins/catalog.py` has their order."""
